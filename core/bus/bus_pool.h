/*
 * A pool in the bus: its queue and its workers.
 */
#ifndef BUS_POOL_H
#define BUS_POOL_H

#include "bus/bus_admit.h"
#include "bus/bus_dispatch.h"
#include "bus/bus_drain.h"
#include "bus/bus_leak.h"
#include "bus/bus_leave.h"
#include "bus/bus_request.h"
#include "bus/bus_scale.h"

struct bus_rule_waiter;

struct bus_pool {
    struct bus *bus;
    const struct conf_pool *conf;
    size_t place;
    struct bus_worker *workers; /* room for as many as there may be; the first `places` are in use */
    struct bus_dispatch dispatch;
    struct event memory;                          /* see bus_memory */
    uint64_t memory_due;                          /* ns: when it is set for; 0: not set */
    size_t places, made;                          /* the first `made` were in use once */
    uint64_t touched[CONF_CORE_WORKERS_MAX / 64]; /* see bus_worker_touch(): a bit for each worker */
    unsigned target;                              /* how many workers it is to have */
    bool resize_asked;                            /* see bus_rule: for the end of this turn */
    bool resizing;                                /* not all of them are up, or gone, yet */
    struct bus_rule_waiter *resize_waiter;
    const char *resize_why; /* for the log; NULL: somebody asked */
    struct bus_scale scale; /* see bus_scaler ... */
    unsigned scale_told;    /* bits of the reasons for no change that are in the log */
    char scale_why[160];    /* ... the last reason, */
    uint64_t scale_at;      /* ns: its time; 0: none yet, */
    bool scale_pinned;      /* and whether somebody has asked for a number of his own */
    unsigned alive;         /* workers that were forked and have not been reaped */
    uint64_t degraded;      /* ns: no restart before; 0: not degraded */

    size_t handler_count;
    struct bus_leak leak;         /* by lpm_handler.in_pool, and last the calls of connections of their own */
    uint64_t no_successor_before; /* ns: see bus_succession */
    uint64_t leaves[BUS_LEAVE_REASONS]; /* how many have drained for each of them */
    uint64_t killed;                    /* for half as much again as rss_limit */
    uint64_t trims;                     /* how often its workers were told to trim */

    struct bus_queue queue;
    bool wanting;              /* the workers were told that requests wait */
    struct bus_queue_sum left; /* of the queue, when all had been sent that could be */
    struct bus_share share;    /* who has how much of it */
    struct event age;          /* queue_timeout of the oldest */
    bool age_armed;
    struct bus_drain drain, level_drains[BUS_QUEUE_LEVELS];
    uint64_t wait_average, wait_at; /* ns: how long those that were sent had waited, and when the last was */
    uint64_t shed[BUS_SHED_KINDS];  /* how many were refused, and why */
    uint64_t shed_logged;           /* ns: when the log said so last */
};

/* One that may come to wait. */
struct bus_pool_newcomer {
    enum bus_queue_level level;
    size_t bytes;
    uint64_t deadline; /* ns; 0: none */
    struct bus_share_client client;
};

int bus_pool_init(struct bus_pool *pool, struct bus *bus, size_t place);
void bus_pool_fini(struct bus_pool *pool);

/* Sends what can be sent, and refuses what is over the queue's bounds then; once for each turn of the loop. */
void bus_pool_dispatch(struct bus_pool *pool);

/* Does what the events of this turn have made possible for the pool's workers: sends the batches, tells the workers that may
 * go. Looks only at those that were touched. */
void bus_pool_end_turn(struct bus_pool *pool);

/* -- The queue, in bus_pool_queue.c --------------------------------------------------------------------- */

void bus_pool_queue_init(struct bus_pool *pool);
void bus_pool_queue_fini(struct bus_pool *pool);

/* So few that wait are not worth counting by client. */
#define BUS_POOL_CROWD 16u

/* Some wait longer than a turn, or many came in this one. Else nobody asks who they are. */
static inline bool bus_pool_is_crowded(const struct bus_pool *pool)
{
    return pool->left.count > 0 || pool->queue.sum.count >= BUS_POOL_CROWD;
}

/* May one more wait? 0, LPM_ESHED, LPM_ENOWORKER. */
int bus_pool_admit(struct bus_pool *pool, const struct bus_pool_newcomer *newcomer, uint64_t now);

/* To the end of those of its priority (item.level); or back, before them. Its item and client are set, the rest of the item by
 * this. */
void bus_pool_push(struct bus_pool *pool, struct bus_request *req);
void bus_pool_push_back(struct bus_pool *pool, struct bus_request *req);

/* Out of the queue; or because it was sent, at its sent_at. */
void bus_pool_remove(struct bus_pool *pool, struct bus_request *req);
void bus_pool_sent(struct bus_pool *pool, struct bus_request *req);

/* All has been sent that can be: refuses what is over the pool's bounds, or over those of all pools. */
void bus_pool_bound(struct bus_pool *pool);
void bus_pool_bound_all(struct bus *bus);

/* ns: how long those that were sent lately had waited, or, if that is more, how long the oldest has. 0: nobody waits, and
 * nobody did in the last second. */
uint64_t bus_pool_queue_wait(const struct bus_pool *pool);

/* ms until there should be room: at least 1. */
int64_t bus_pool_retry_after(const struct bus_pool *pool);

/* All workers are gone and none may be started: everything that waits is refused. */
void bus_pool_refuse_all(struct bus_pool *pool, int error, const char *text);

#endif
