/*
 * What is heard of a worker at once: a few messages, for which the clock is looked at once, and what their answers tell of the worker
 * is measured together.
 */
#ifndef BUS_BATCH_H
#define BUS_BATCH_H

#include "bus/bus_worker.h"

/* Messages. A clock stands still for so many callbacks of modules at the most. */
#define BUS_BATCH_MAX 8u

/* A batch begins, maybe behind another: bus->heard_at is its time. */
void bus_batch_begin(struct bus_worker *w);

/* It answered the request, with a failure or not. */
void bus_batch_answered(struct bus_worker *w, const struct bus_request *req, bool failed);

/* The last batch is over; the worker may have been ended in it. */
void bus_batch_end(struct bus_worker *w);

#endif
