/*
 * What waits for a worker: three priorities, each first in, first out. Pure; each operation takes as long with a million as with
 * ten. What is in the queue is the caller's.
 */
#ifndef BUS_QUEUE_H
#define BUS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

enum bus_queue_level { BUS_QUEUE_LOW = 0, BUS_QUEUE_NORMAL, BUS_QUEUE_HIGH, BUS_QUEUE_LEVELS };

/*
 * The order. Who is sent next is the first of the highest priority; but one that waits while BUS_QUEUE_PATIENCE_LOW (or
 * _NORMAL) of others were sent in a row is next.
 */
#define BUS_QUEUE_PATIENCE_LOW    15u
#define BUS_QUEUE_PATIENCE_NORMAL 3u

/* So of so many in a row, while one of that level waits, at least one is of it. */
extern const unsigned bus_queue_one_in[BUS_QUEUE_LEVELS];

/* Of each bound, this part is kept for each level, whatever is above it. */
#define BUS_QUEUE_KEPT 16u

/* One that waits, in its owner's record. */
struct bus_queue_item {
    struct list link;
    enum bus_queue_level level;
    bool returned;  /* it had been sent, and came back */
    uint64_t since; /* ns: from when it waits */
    size_t bytes;
};

/* How many wait, and what they hold. */
struct bus_queue_sum {
    size_t count, bytes;
    struct {
        size_t count, bytes;
    } levels[BUS_QUEUE_LEVELS];
};

struct bus_queue {
    struct bus_queue_lane {
        struct list returned; /* before the others; the latest first */
        struct list fresh;    /* in the order of their coming */
        unsigned passed;      /* others that were sent, in a row, while one of these waited */
    } lanes[BUS_QUEUE_LEVELS];
    struct bus_queue_sum sum;
    struct bus_queue_sum *total; /* of several queues together */
};

void bus_queue_init(struct bus_queue *q, struct bus_queue_sum *total);

/* To the end of those of its level; or before them, where the one that came back last is the first. The item's level,
 * `since` and bytes are set, and stay; one that comes back is not older than those that did before. */
void bus_queue_append(struct bus_queue *q, struct bus_queue_item *item);
void bus_queue_return(struct bus_queue *q, struct bus_queue_item *item);

/* Out of the queue, without having been sent; or because it was. */
void bus_queue_remove(struct bus_queue *q, struct bus_queue_item *item);
void bus_queue_sent(struct bus_queue *q, struct bus_queue_item *item);

/* Who is to be sent next; NULL: nobody waits. */
struct bus_queue_item *bus_queue_next(const struct bus_queue *q);

/* The one behind `item`, or the first (NULL), by priority alone; NULL: there is none. */
struct bus_queue_item *bus_queue_after(const struct bus_queue *q, const struct bus_queue_item *item);

/* The one that has waited longest; NULL: nobody waits. */
struct bus_queue_item *bus_queue_oldest(const struct bus_queue *q);

/* The last that came of that level; NULL: none, but such as came back. */
struct bus_queue_item *bus_queue_last(const struct bus_queue *q, enum bus_queue_level level);

/* Is the sum over its bound of requests or bytes, and has that level more of it than is kept for it? Then the last that came of the
 * lowest such level is to go. */
bool bus_queue_is_over(const struct bus_queue_sum *sum, enum bus_queue_level level, uint64_t count,
                       uint64_t bytes);

/* How many, or how many bytes, are of that level or a higher one. */
size_t bus_queue_count_from(const struct bus_queue_sum *sum, enum bus_queue_level level);
size_t bus_queue_bytes_from(const struct bus_queue_sum *sum, enum bus_queue_level level);

#endif
