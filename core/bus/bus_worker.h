/*
 * A worker as the bus sees it: its channel, what it has to do, and its end.
 */
#ifndef BUS_WORKER_H
#define BUS_WORKER_H

#include "bus/bus_growth.h"
#include "bus/bus_noise.h"
#include "bus/bus_pool.h"
#include "ipc/channel.h"
#include "ipc/control.h"

enum bus_worker_state {
    BUS_WORKER_ABSENT = 0, /* none, or dead and reaped */
    BUS_WORKER_STARTING,   /* forked; has not said ready */
    BUS_WORKER_SERVING,
    BUS_WORKER_LEAVING, /* gets nothing new, and SOFT_KILL when it has nothing left */
    BUS_WORKER_GONE     /* its channel is over; the master has not reaped it */
};

struct bus_worker {
    struct bus_pool *pool;
    size_t index;
    char name[80]; /* "pool/index" */
    enum bus_worker_state state;
    bool busy;          /* said BUSY */
    bool removed;       /* its place is not to be filled any more */
    bool was_ready_now; /* this process has been ready */
    bool sent_home;     /* SOFT_KILL is out */
    struct {            /* see bus_succession */
        enum bus_leave_state state;
        enum bus_leave_reason reason;   /* that it has begun to leave for */
        uint64_t requests_max, age_due; /* answers; ns */
    } leave;
    struct bus_worker *relieves; /* it was started to come after that one, which still serves; NULL */
    uint32_t incarnation;
    pid_t pid;
    struct channel *channel;
    struct channel *over;        /* the same after its end, for the board, while the process may still run */
    struct event readable, bell; /* see channel_fd() and channel_bell() */
    struct event starved;
    struct event again;   /* more was received than one turn is for */
    struct event buried;  /* see bus_end */
    struct event overdue; /* see bus_timeout_answered() */
    uint32_t answered_seq;
    uint64_t answered_due; /* ns */
    struct event sweep;    /* see bus_sweep ... */
    bool sweeping;
    unsigned long bells_lost; /* ... which found so many messages of which no bell had told */
    bool blocked;             /* the channel is full until its bell rings */

    struct bus_noise noise;

    struct list sent; /* bus_request, in the order of sending */
    uint32_t seq;     /* of the last one sent */
    struct bus_request **slots;
    uint32_t *free_slots;
    uint32_t free_count, slot_count;

    int statm;                      /* os_proc_open() */
    uint64_t baseline;              /* pressure at its first READY */
    struct bus_growth growth;       /* of its memory */
    uint64_t last_event;            /* ns: when the last one was answered */
    struct { /* see bus_batch: the answers in it, and (ns) since when they were under way */
        unsigned answers;
        uint64_t since;
    } batch;
    uint64_t born;                  /* ns: forked */
    uint64_t answered;              /* requests */
    uint64_t heap_total, heap_used; /* bytes, as it said last */
    unsigned held;                  /* requests it was sent whose descriptors we still have, too */

    struct list emissions; /* lpm_request: what it emitted and is not answered */
    size_t emission_count, emission_bytes;
    struct list outbox; /* see bus_outbox */
    size_t outbox_events, outbox_replies, outbox_bytes;
    bool outbox_full; /* it missed something, which is in the log */

    uint32_t log_due, log_sent, log_taken; /* numbers of LOGs; see bus_reopen */

    struct { /* see bus_slow: what its board shows, since when, and whether that was told of */
        uint32_t running;
        uint64_t calls, since;
        bool told;
    } slow;
    bool aborted; /* it hangs, and has been given time for its last words */

    unsigned done, over_limit; /* answered since the last look at its memory; looks in a row over the limit */
    bool look_due;             /* at its memory, whatever its growth says */
    uint64_t foreign;          /* bytes that were taken for its own, and are not */
    uint32_t *by_handler;      /* answered since then, as in bus_pool.leak; NULL: no memory */
    uint64_t calls_seen;       /* of channel_calls() */
    uint64_t trimmed_at;       /* ns: told to trim last; 0: never */
    uint32_t trims;

    struct { /* what its death did, for one line in the log */
        unsigned requeued, retried, failed;
        bool called; /* a handler ran that served one of its own connections */
        char blamed[UUID_TEXT_SIZE];
        const char *module; /* whose request that was */
    } death;
};

/* Room for `slots` requests. */
int bus_worker_init(struct bus_worker *w, struct bus_pool *pool, size_t index);
void bus_worker_fini(struct bus_worker *w);

/* The master forked it; takes `fd`, -1: its channel is lost. */
void bus_worker_new(struct bus_worker *w, const struct control *message, int fd);

/* The master reaped it. */
void bus_worker_reaped(struct bus_worker *w, const struct control *message);

/* Acts on what it has sent. */
void bus_worker_hear(struct bus_worker *w);

/* Requests wait: it is to tell when it becomes free. */
void bus_worker_want(struct bus_worker *w, bool wanting);

/* What dispatch knows of it. */
static inline struct bus_load *bus_worker_load(const struct bus_worker *w)
{
    return &w->pool->dispatch.loads[w->index];
}

/* What is seen of it may have changed, or something is to be done for it: it is looked at in each turn from now on, until it is
 * quiet. So idle workers, however many, cost nothing. */
static inline void bus_worker_touch(const struct bus_worker *w)
{
    w->pool->touched[w->index / 64] |= UINT64_C(1) << w->index % 64;
}

/* Nothing will change with it before it is touched again. */
bool bus_worker_is_quiet(const struct bus_worker *w);

/* Brings what dispatch knows up to date. */
void bus_worker_look(struct bus_worker *w);

/* Puts the request, which leaves its queue, in the channel, at `now`; bus_worker_flush() sends it. 0; LPM_ENOMEM: nothing was left to send it with, another turn
 * comes when that may have changed; another error: this worker cannot take it, try another. */
int bus_worker_send(struct bus_worker *w, struct bus_request *req, uint64_t now);
void bus_worker_flush(struct bus_worker *w);

/* Closes our copies of the descriptors of those of its requests that have started: from then on they are the worker's. */
void bus_worker_let_go(struct bus_worker *w);

/* The same for one that it has: it will not be sent again, whatever happens. */
void bus_worker_let_go_of(struct bus_worker *w, struct bus_request *req);

/* Has its handler been called? As the worker's board shows it. */
bool bus_worker_has_started(const struct bus_worker *w, const struct bus_request *req);

/* Room in its channel for `len` bytes and `count` descriptors, or NULL, with `*code` as channel_reserve_with(): full or starved
 * (the outbox is tried again when that may have changed), or over. */
char *bus_worker_reserve(struct bus_worker *w, size_t len, const int *fds, unsigned count, int *code);

/* Puts the frame in its channel: 0, or that code. */
int bus_worker_put(struct bus_worker *w, const struct frame *frame, const int *fds, unsigned count);

/* The same, and while there is no room it waits in the worker's outbox, in order. `fd`: goes with it, stays the caller's;
 * -1: none. 0, LPM_EFULL (the worker misses it; instead of a reply it hears that), LPM_ENOMEM, LPM_EIO (its channel is
 * over). In bus_outbox.c. */
int bus_worker_post(struct bus_worker *w, const struct frame *frame, int fd);

/* Tells it that nobody waits for the request any more, or to give it up; as soon as there is room, if not now. */
void bus_worker_cancel(struct bus_worker *w, struct bus_request *req);
void bus_worker_abandon(struct bus_worker *w, struct bus_request *req);

/* SOFT_KILL for one that is on its way out and has nothing left, if it can be said now; the end of each turn tries again. */
void bus_worker_go_home(struct bus_worker *w);

/* SOFT_KILL or HARD_KILL. SOFT_KILL not before all has been said to it and to the master that was to be said. */
void bus_worker_say(struct bus_worker *w, enum frame_type type);

#endif
