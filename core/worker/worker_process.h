/*
 * What the parts of a worker share: the one context of the process, and its two kinds of handles.
 */
#ifndef WORKER_PROCESS_H
#define WORKER_PROCESS_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>

#include "base/list.h"
#include "ipc/channel.h"
#include "ipc/frame.h"
#include "loader/loader.h"
#include "role/role.h"
#include "role/role_event.h"
#include "role/role_spin.h"

/* Public as lpm_handler: a module of this process, for lpm_worker_call(). */
struct lpm_handler {
    struct lpm_worker *module;
};

/* Public as lpm_worker: a module in this process. */
struct lpm_worker {
    lpm_handle handle;
    struct loader_owner owner; /* of this handle and of the module's requests */
    struct worker *worker;
    const lpm_module *module;
    void *context;
    struct lpm_handler handler;
    bool here;           /* its hooks run in this pool */
    bool up;             /* its worker_init has done its work */
    bool ready;          /* takes requests: said so, or needs not to */
    bool soft_killed;    /* it was told of the soft kill, by hook or event ... */
    bool soft_kill_open; /* ... and has not said done */
};

/* Around a call into the module: what its step word said before, for worker_step_back(). */
uint32_t worker_step_enter(const struct lpm_worker *m, enum role_step step);
void worker_step_back(const struct lpm_worker *m, uint32_t before);

/* What lpm_worker_call() adds to a request. */
struct worker_call {
    bool made;   /* it did; what follows is for that alone */
    bool waited; /* the caller wants to hear of it */
    const struct lpm_worker *caller;
    lpm_response_fn on_response;
    void *arg;
    uint32_t place,
        uses; /* its ticket: the place among all that ever were called, from 1 on, and how often it was */
    uint64_t started_at; /* ns; 0: it waits in worker->calls */
    char *payload;       /* what the frame points into; the room is kept */
    size_t payload_room;
    struct event timer; /* of its time limit, then of `kill_after` */
    uint64_t due;       /* ns: when that is; 0: it does not run */
};

/* Public as lpm_request. Never given back to the system while the process lives: a handle that a module kept too long
 * meets an object that says so. */
struct lpm_request {
    lpm_handle handle;
    struct list link; /* in worker->open, worker->given_up, worker->idle, or worker->calls */
    struct lpm_worker *owner;
    bool open; /* false: answered */
    bool cancelled;
    bool given_up; /* the bus was told so, and its place is another's: an answer is dropped */
    void *context;
    lpm_cancel_fn on_cancel; /* NULL: none, or called */
    struct list to_cancel;   /* in worker->to_cancel while there is one */
    void *on_cancel_arg;
    struct event *cancel_timer; /* of the deadline, for on_cancel */
    unsigned taken;             /* FRAME_STREAM, FRAME_SOCKET: by the module */
    struct frame frame;         /* points into `message` */
    struct frame_cursor cursor; /* of the header that the module asked for last */
    struct channel_message message;
    int status;    /* ":status" of the answer; 0: none was given */
    char *headers; /* of the answer, encoded; the room is kept for the next request */
    size_t headers_len, headers_room, header_count;
    struct worker_call call;
};

#define WORKER_EMIT_LISTS 1024u

struct worker {
    struct role_start *start;
    const struct log *log;
    char name[80]; /* "pool/index" */
    struct error conf_error;
    struct loader_owner owner; /* of the configuration */
    struct channel *channel;
    const struct frame *running; /* of the request whose handler runs, for a crash report; NULL: none */
    struct event_base *base;
    struct event *readable, *bell, *again; /* see worker_input */
    struct loader loader;
    lpm_host host;
    struct lpm_worker *modules; /* one for each of the loader */

    struct list to_cancel; /* those whose modules want to be told when nobody waits, in the order of asking */
    struct list open;      /* requests that wait for their answer, oldest first */
    struct list given_up;  /* that nobody waits for, and their modules have not answered all the same */
    struct list idle;      /* objects to use again, longest unused first */
    size_t open_count, idle_count;
    struct lpm_request **slots; /* by frame_key.slot */
    size_t slot_count;

    struct role_spin spin;
    uint64_t events; /* messages of the bus, and calls */

    struct list calls;             /* requests of lpm_worker_call() that have not started */
    struct lpm_request **callable; /* all objects that were ever used for one, by place */
    size_t callable_count;
    struct event *calls_turn; /* starts them */
    struct chacha_source uuids;
    unsigned concurrency; /* of the pool: when so many run, calls wait */
    uint64_t kill_after;  /* ns, of the pool */
    int64_t timeout;      /* ms: request { timeout } */

    const struct lpm_worker **sockets; /* whose module took it and has not closed it, by descriptor */
    size_t socket_room;
    uint64_t heap_next;       /* ns: when to look at the heap again */
    struct event *heap_timer; /* NULL: was not needed yet */
    bool heap_timer_runs;
    uint64_t heap_total, heap_used; /* as the bus knows */

    struct role_listeners listeners;
    struct list emits;                         /* that wait for their reply, oldest first ... */
    struct list emit_table[WORKER_EMIT_LISTS]; /* ... and by number */
    size_t emit_count, emit_bytes;
    uint32_t emit_seq; /* of the last one */

    bool unheard;    /* the bus listens no more: nothing is started any more */
    bool owes_idle;  /* see worker_request_tell_idle() */
    bool said_ready; /* the first READY is out */
    bool said_busy;  /* BUSY is out, READY is not */
    bool drain;      /* DRAIN came */
    bool draining;   /* SOFT_KILL came */
    bool over;       /* leave the loop */
    int status;      /* the exit status then */
};

#endif
