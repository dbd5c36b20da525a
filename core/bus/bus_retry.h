/*
 * What becomes of a request when its worker dies. Pure.
 */
#ifndef BUS_RETRY_H
#define BUS_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct bus_retry {
    bool waited;          /* somebody still waits for the outcome */
    bool started;         /* its handler had been called */
    bool running;         /* its handler was running when the worker died: it is to blame */
    int64_t left;         /* retries */
    uint32_t kills;       /* workers that it was to blame for, this one included */
    int64_t poison_after; /* so many are too many; below 0: no number is */
};

enum bus_retry_verdict {
    BUS_RETRY_DROP = 0, /* nobody waits: forget it */
    BUS_RETRY_FREE,     /* back to the head of the queue, at no cost: it had not been started */
    BUS_RETRY_AGAIN,    /* back to the head of the queue, for one of its retries */
    BUS_RETRY_SPENT,    /* worker-died error: no retry is left */
    BUS_RETRY_POISON    /* worker-died error: it has killed too many */
};

enum bus_retry_verdict bus_retry_decide(const struct bus_retry *request);

/* `started` as the worker's board shows it, made safe: how many of the `unfinished` requests that were sent last,
 * the last of them with number `sent`, have not been started. A board that cannot be true counts as: all started. */
uint32_t bus_retry_unstarted(uint32_t sent, uint32_t started, uint32_t unfinished);

#endif
