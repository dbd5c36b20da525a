/*
 * A worker as the bus sees it: its channel, what it has to do, and its end.
 */
#ifndef BUS_WORKER_H
#define BUS_WORKER_H

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
    enum bus_worker_state state;
    bool busy;      /* said BUSY */
    bool was_ready; /* this place has been ready once: counts for online */
    bool sent_home; /* SOFT_KILL is out */
    uint32_t incarnation;
    pid_t pid;
    struct channel *channel;
    struct event readable, writable;
    bool blocked; /* the channel is full until it is writable */

    struct list sent; /* bus_request, in the order of sending */
    uint32_t seq;     /* of the last one sent */
    struct bus_request **slots;
    uint32_t *free_slots;
    uint32_t free_count, slot_count;

    int statm;                 /* os_proc_open() */
    uint64_t baseline;         /* pressure at its first READY */
    uint64_t last_event;       /* ns: when the last one was answered */
    unsigned done, over_limit; /* answered since the last look at its memory; looks in a row over the limit */

    struct { /* what its death did, for one line in the log */
        unsigned requeued, retried, failed;
        char blamed[UUID_TEXT_SIZE];
    } death;
};

/* Room for `slots` requests. */
int bus_worker_init(struct bus_worker *w, struct bus_pool *pool, size_t index);
void bus_worker_fini(struct bus_worker *w);

/* "pool/index", into `room`. */
const char *bus_worker_name(const struct bus_worker *w, char *room, size_t size);

/* The master forked it; takes `fd`. */
void bus_worker_new(struct bus_worker *w, const struct control *message, int fd);

/* The master reaped it. */
void bus_worker_reaped(struct bus_worker *w, const struct control *message);

/* Requests wait: it is to tell when it becomes free. */
void bus_worker_want(struct bus_worker *w, bool wanting);

/* What dispatch sees of it now, into its place in pool->loads. */
void bus_worker_look(struct bus_worker *w);

/* Puts the request in the channel; bus_worker_flush() sends it. 0, or negative: it was not taken, try another. */
int bus_worker_send(struct bus_worker *w, struct bus_request *req);
void bus_worker_flush(struct bus_worker *w);

/* Has its handler been called? As the worker's board shows it. */
bool bus_worker_has_started(const struct bus_worker *w, const struct bus_request *req);

/* Says `type` about a request it has. 0, or negative: the channel is over or full. */
int bus_worker_tell(struct bus_worker *w, enum frame_type type, const struct bus_request *req);

/* Tells it that nobody waits for the request any more; as soon as there is room, if not now. */
void bus_worker_cancel(struct bus_worker *w, struct bus_request *req);

/* Asks the master to kill it, and settles its requests as for any death. */
void bus_worker_kill(struct bus_worker *w, const char *why);

/* Nothing new for it; home when nothing is left. */
void bus_worker_leave(struct bus_worker *w);

/* SOFT_KILL or HARD_KILL. */
void bus_worker_say(struct bus_worker *w, enum frame_type type);

#endif
