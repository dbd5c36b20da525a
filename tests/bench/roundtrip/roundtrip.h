/*
 * Ways for messages to go from one process to another and back: what the bus's own round trips are put beside.
 */
#ifndef ROUNDTRIP_H
#define ROUNDTRIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUNDTRIP_MIN 64u /* bytes of the smallest message */

/* What is measured now. */
struct roundtrip {
    size_t payload; /* bytes, each way */
    unsigned in_flight;
    uint64_t duration; /* ns */
    uint64_t *times;   /* NULL, or room for what each took, ns: with one in flight */
    size_t time_count, time_room;
};

struct roundtrip_way {
    const char *name;
    size_t payload_max;
    unsigned in_flight_max;
    /* Descriptors, the first for the driving process, the second for the other. With `both`, each has both. */
    void (*make)(int fds[2]);
    bool both;
    /* Sends, and takes what comes back, for the duration: how many came back. */
    uint64_t (*drive)(struct roundtrip *r, int *fds);
    /* Sends back what comes, until the driver is gone; does not have to return. NULL: there is no other process. */
    void (*echo)(const struct roundtrip *r, int *fds);
};

extern const struct roundtrip_way roundtrip_channel, roundtrip_ring, roundtrip_socketpair, roundtrip_eventfd,
    roundtrip_memcpy;

/* Ends the program, with errno's text. */
_Noreturn void roundtrip_die(const char *what);

/* Memory that is there already. */
char *roundtrip_room(size_t size);

/* An epoll instance that listens to a bell, and to the descriptor beside it, if any (-1). */
int roundtrip_listen(int bell, int fd);

/* Returns whether it was the descriptor. */
bool roundtrip_sleep(int loop);

/* Is the time over? It began at `start`. With one in flight, notes what the last one took. */
bool roundtrip_over(struct roundtrip *r, uint64_t start, uint64_t *last);

#endif
