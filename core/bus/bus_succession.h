/*
 * Workers that leave, and who comes after them: what bus_leave says is done here.
 *
 * A successor is one more worker, in a place that is free, as after a resize; the one before leaves when it is ready, and its
 * own place is given up. So whoever dies between any two steps, each place is wanted or given up, and the master fills
 * those that are wanted.
 */
#ifndef BUS_SUCCESSION_H
#define BUS_SUCCESSION_H

#include "bus/bus_worker.h"

/* It was forked. */
void bus_succession_new(struct bus_worker *w);

/* It is ready for the first time: its limits count from here, and whom it comes after may go. */
void bus_succession_ready(struct bus_worker *w);

/* It is no more. True: it was to come after another one, and was not ready yet; its place is given up. */
bool bus_succession_reaped(struct bus_worker *w);

/* Something that happened to it, see bus_leave.h. */
void bus_succession_event(struct bus_worker *w, enum bus_leave_event event);

/* Would anything follow from it, if its memory were so far? */
bool bus_succession_may(const struct bus_worker *w, enum bus_leave_level level);

/* It has `bytes` of its own, for certain: what follows from that, under `limit`. */
void bus_succession_over(struct bus_worker *w, uint64_t bytes, uint64_t limit);

/* Leaves if it is time for another reason: to be called now and then. */
void bus_succession_look(struct bus_worker *w);

/* It has answered one more. */
static inline void bus_succession_answered(struct bus_worker *w)
{
    if (w->answered == w->leave.requests_max) {
        bus_succession_look(w);
    }
}

#endif
