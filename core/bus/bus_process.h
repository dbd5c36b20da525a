/*
 * What the parts of the bus share: the one context of the process.
 */
#ifndef BUS_PROCESS_H
#define BUS_PROCESS_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>

#include "base/list.h"
#include "base/uuid.h"
#include "bus/bus_queue.h"
#include "ipc/policy.h"
#include "loader/loader.h"
#include "os/os_memory.h"
#include "role/role.h"
#include "role/role_event.h"
#include "role/role_spin.h"

struct bus_pool;
struct bus_request;

/* Public as lpm_supervisor: a module in this process. */
struct lpm_supervisor {
    lpm_handle handle;
    struct loader_owner owner; /* of this handle and of the responses that the module gets */
    struct bus *bus;
    const lpm_module *module;
    void *context;
    bool up;                       /* its supervisor_init has done its work */
    bool soft_kill_open;           /* its supervisor_soft_kill hook ran and has not said done */
    bool soft_kill_asked;          /* it called lpm_supervisor_soft_kill() */
    lpm_take_over_fn on_take_over; /* NULL: it takes no connections over */
    void *on_take_over_arg;
};

/* Around a call into the module, or the control socket's part, which is none: what the step word said before, for
 * bus_step_back(). */
uint32_t bus_step_enter(const struct lpm_supervisor *m, enum role_step step);
void bus_step_back(const struct lpm_supervisor *m, uint32_t before);

/* Public as lpm_handler. */
struct lpm_handler {
    const char *name;
    uint16_t index; /* the module's place */
    struct bus_pool *pool;
    size_t in_pool;                   /* its number among the handlers of the pool */
    char build[LOADER_BUILD_ID_SIZE]; /* of the module; see bus_quarantine */
};

struct bus {
    struct role_start *start;
    const struct log *log;
    struct error conf_error;
    struct loader_owner owner; /* of the configuration */
    struct event_base *base;
    struct event master_readable, master_writable;
    struct list master_messages; /* see bus_master */
    size_t master_message_count;
    struct loader loader;
    lpm_host host;
    struct lpm_supervisor *modules; /* one for each of the loader */
    struct lpm_handler *handlers;   /* one for each module that answers requests */
    size_t handler_count;
    struct bus_pool *pools; /* as in the configuration */
    size_t pool_count;
    struct bus_queue_sum queued; /* in all pools: now ... */
    struct bus_queue_sum left;   /* ... and when all had been sent that could be */

    struct bus_request **requests; /* by place, see bus_request */
    size_t request_count;
    struct list request_free;
    size_t waiting; /* requests whose outcome somebody waits for */
    struct chacha_source uuids;
    struct role_spin spin;
    uint64_t events;   /* requests that came in, and what was heard of workers */
    uint64_t heard_at; /* ns: while a worker is heard, the time; see bus_batch. Else 0 */

    uid_t starter;             /* who started lpm */
    uint64_t born;             /* ns: this process */
    struct lpm_supervisor ctl; /* the handle of the control socket's commands */
    struct event *ctl_acceptable;
    struct event ctl_pause;
    struct list ctl_clients;
    size_t ctl_count;
    struct list reload_waiters; /* see bus_reload */
    uint32_t reloads_asked, reload_took, reload_successor;
    int reload_refusal;   /* LPM_E...: why none may be asked for any more; 0 */
    struct error trouble; /* not empty: why what the last reload brought does not serve */

    int successor; /* see bus_handover; -1: none */
    struct event successor_writable;
    struct list parcels, predecessors;

    struct role_listeners listeners;
    bool sigint_wanted;         /* a module listens to SIGINT, and the master knows */
    struct list emissions_idle; /* lpm_request, to use again, longest unused first */
    size_t emissions_idle_count;
    struct list emissions_due;     /* those with a deadline, the next first */
    struct event *emissions_timer; /* NULL: was not needed yet */
    struct list emissions_lost;    /* that nobody waits for, and that are not answered, oldest first */
    size_t emissions_lost_count, emissions_lost_bytes;
    bool emissions_dropped; /* it was too many of those, which is in the log */

    uint64_t slow_next;                           /* ns: see bus_slow */
    uint64_t quarantine_refused, quarantine_next; /* see bus_quarantine; ns */
    struct event *watch;                          /* see bus_watch; NULL: was not needed yet */
    struct os_memory_paths memory_paths;          /* see bus_squeeze */
    struct os_memory memory;                      /* as it was seen last */
    struct event squeeze_timer;
    unsigned squeeze;         /* the level */
    struct event scale_timer; /* see bus_scaler */

    uint32_t log_number;   /* of the error log that the workers are to have; see bus_reopen */
    uint32_t reopen_asked; /* number of the last question */
    size_t reopen_failed;  /* logs that stayed with their old file, since the last REOPENED */
    uint64_t reopen_round,
        reopen_told;           /* of the last REOPENED, and what the master was told that it is done */
    uint32_t reopen_round_log; /* log_number then */
    struct list reopen_waiters;

    bool soft_kill_asked;          /* by any module; the master will say it */
    struct list soft_kill_waiters; /* see bus_rule */
    struct list rule_ended;        /* whose callbacks are due */
    enum policy_phase phase;
    bool online_due; /* a worker has become ready: perhaps it was the last */
    bool turn_ends;  /* in bus_lifecycle_end_turn() */
    bool released;   /* soft kill: the workers were sent home */
    bool over;       /* leave the loop */
    int status;      /* the exit status then */
};

#endif
