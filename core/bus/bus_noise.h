/*
 * Does a worker ring its bell for the sake of ringing? Each time costs the bus a turn of its loop. Pure.
 */
#ifndef BUS_NOISE_H
#define BUS_NOISE_H

#include <stdbool.h>
#include <stdint.h>

/* So many bells in a second may tell of nothing. Each honest one is for a message that came, or for the room of one that was sent;
 * of these, as many may be from the second before as there are slots. */
#define BUS_NOISE_EMPTY_BELLS_MAX 4096u

/* Within a second from `since` on (ns): messages, either way, and bells. */
struct bus_noise {
    uint64_t since;
    unsigned long messages, bells;
};

/* A bell rang at `now`: is it one too many? */
static inline bool bus_noise_rings(struct bus_noise *noise, uint64_t now)
{
    if (now - noise->since >= UINT64_C(1000000000)) {
        *noise = (struct bus_noise){.since = now};
    }
    return ++noise->bells > noise->messages + BUS_NOISE_EMPTY_BELLS_MAX;
}

#endif
