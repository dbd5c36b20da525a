/*
 * Whether a loop that has nothing to do goes on looking for a while, or sleeps (`spin`). Pure.
 *
 * Waking a process that sleeps on another processor takes some 25 us; one that still looks finds what comes within one. It
 * pays only where something does come: after each window in vain twice as many are left out as after the one before, and the
 * first that finds something makes good for all.
 */
#ifndef ROLE_SPIN_H
#define ROLE_SPIN_H

#include <stdbool.h>
#include <stdint.h>

#define ROLE_SPIN_MISSES_MAX 8u /* from then on, one window of 256 is tried */

struct role_spin {
    uint64_t window; /* ns; 0: never */
    uint64_t until;  /* of the present one; 0: there is none */
    uint64_t seen;   /* of the count of events */
    unsigned misses; /* windows in vain, one behind the other */
    unsigned skip;   /* windows to be left out */
};

/* Windows of `us`, or none: 0, and where there is one processor, which those need for whom it would wait. */
void role_spin_init(struct role_spin *spin, unsigned us, unsigned processors);

/* Before each pass of the loop: true: it may sleep; false: it is to look, and come back. `events` counts what happened so far
 * that has others behind it, requests and answers. `now`: ns. */
bool role_spin_may_sleep(struct role_spin *spin, uint64_t events, uint64_t now);

#endif
