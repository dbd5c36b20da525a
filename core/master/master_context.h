/*
 * The master's structures. One struct master is the whole of its memory; nothing is global.
 */
#ifndef MASTER_CONTEXT_H
#define MASTER_CONTEXT_H

#include <stdbool.h>

#include "base/list.h"
#include "ipc/control.h"
#include "ipc/policy.h"
#include "master/master.h"
#include "master/master_restart.h"
#include "master/master_setup.h"
#include "master/master_state.h"
#include "os/os_inherit.h"
#include "os/os_notify.h"
#include "os/os_pidfile.h"

struct event;
struct event_base;
struct master_trial;
struct master_signal_calls;
struct master_generation;

/* The place of a worker in its pool; who fills it changes. */
struct master_worker {
    struct master_generation *generation;
    size_t pool, index;
    uint32_t incarnation; /* how many were before it */
    pid_t pid;            /* 0: the place is empty */
    bool ready;
    bool retired; /* its end was ordered: its successor costs nothing */
    bool removed; /* its place is not to be filled any more */
    bool aborted; /* it hangs, and was told to end with a report */
    struct role_crash_page *crash;
    uint64_t not_before; /* ns: its successor is not forked earlier */
    struct event *ready_timer;
};

struct master_pool {
    struct master_generation *generation;
    const struct conf_pool *conf;
    size_t index;
    struct master_worker *workers; /* room for CONF_CORE_WORKERS_MAX; the first `places` are in use */
    size_t places;
    struct master_restart restart;
    bool degraded;
    bool fork_failed;        /* said in the log already */
    struct error last_death; /* of one of its workers: how, and in whose code if that is known */
    struct event *refill_timer;
};

/* Messages for the bus that did not fit into its socket yet, in order. */
struct master_message {
    struct list link;
    struct control control;
    int fd; /* -1: none */
};

/* One bus and its workers. */
struct master_generation {
    struct list link;
    struct master *master;
    struct master_setup *setup; /* what they run */
    struct conf_core *core;     /* the setup's */
    unsigned number;
    enum master_state state;
    bool is_reload;  /* its setup is a new one */
    bool is_restart; /* of a bus that has died: it counts, from when it begins */
    bool was_active;
    struct error reason; /* why it failed; empty: it did not */
    role_step_word
        *steps; /* shared with its processes: the bus's, then for each pool CONF_CORE_WORKERS_MAX */
    struct master_trial *trial;
    pid_t bus; /* 0: none */
    struct role_crash_page *bus_crash;
    int control;
    bool control_over; /* the bus's end is closed */
    enum policy_phase bus_phase;
    bool sigint_wanted;                               /* a module acts on SIGINT */
    uint32_t reload_asked, reload_begun, reload_told; /* see master_reload */
    uint64_t logs_due, logs_taken;                    /* see master_reopen */
    uint32_t reopen_asked;
    struct list messages;
    size_t message_count;
    struct event *control_readable, *control_writable;
    struct event *bus_end_timer; /* from the end of the control channel to the bus's own */
    struct event *timer;         /* of the state: start, online, probation, drain, kill */
    struct master_pool *pools;   /* core->pool_count of them */
};

/* A binary upgrade, from the one side or the other: see master_upgrade, master_arrival. */
struct master_upgrade {
    pid_t heir;       /* the new master, our child; 0: no upgrade runs */
    bool heir_online; /* it serves */
    pid_t elder;      /* the old master, while it has a part in what we have; 0: none */
    bool elder_told;  /* that we serve */
    bool elder_gone;  /* which we act on when we serve */
    int channel;      /* to the heir; -1 */
    struct event *readable;
    struct event *timer;      /* until the heir serves, or is killed */
    bool overdue;             /* it was told to end for not serving */
    struct error why;         /* what the heir said about its failure, or what was said of it */
    char *pid_path, *control; /* the names that were given to it; NULL */
};

/* See master_notify. */
struct master_notify {
    struct os_notify socket;
    char state[512]; /* what the service manager heard last, or hears `again` */
    bool failed;     /* said in the log already */
    struct event *again, *watchdog;
};

#define MASTER_EACH_GENERATION(g, master)                  \
    LIST_EACH(g##_link, g##_after, &(master)->generations) \
    for (struct master_generation *g = LIST_ENTRY(g##_link, struct master_generation, link); g; g = NULL)

struct master {
    const struct master_options *options;
    const struct master_roles *roles;
    struct log log; /* the current setup's */
    struct os_pidfile pidfile;
    struct master_notify notify;
    struct os_inherit inherited; /* what was handed over and is not taken yet */
    struct list kept;            /* listeners that the service manager has too, see master_inherit */
    pid_t pid;
    struct event_base *base;
    int signals; /* signalfd, -1 */
    const struct master_signal_calls *signal_calls;
    struct event *signal_readable;
    struct list generations; /* oldest first */
    struct list setups;
    struct role_quarantine *quarantine; /* of the buses, one after the other; NULL: no memory for it */
    struct list tellers;                /* see master_crash */
    size_t teller_count;
    struct master_setup
        *current; /* of the generation that serves, or served last; before that: the first one's */
    struct master_setup
        *previous; /* of the one before it, until the end of its probation; NULL: none to go back to */
    struct master_setup *shared; /* with the other master, while there is one; NULL */
    struct master_upgrade upgrade;
    struct event *sweep; /* looks at what is to be done next */
    unsigned last_number;
    struct master_restart bus_restarts;
    bool online;         /* was once */
    bool stopping;       /* no generation is started any more */
    bool withdrawn;      /* nor now: the new master serves */
    bool foreground;     /* people wait for this process, and cannot be told of another */
    uint64_t reopens;    /* how often the logs were */
    bool reload_wanted;  /* somebody asked, and it has not begun */
    bool reload_waits;   /* for a generation to end, which the log has said */
    bool start_failed;   /* of the last one that was to start again */
    uint64_t not_before; /* ns: no reload begins earlier */
    struct event *reload_timer;
    struct event *shutdown_timer;
    int launcher;         /* daemon: pipe to the process that people started; -1 */
    struct error trouble; /* not empty: why what the last reload brought does not serve */
    struct error failure; /* not empty: why lpm ends with status 1 */
};

#endif
