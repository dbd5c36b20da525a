/*
 * The requests of a worker that died.
 */
#ifndef BUS_SETTLE_H
#define BUS_SETTLE_H

#include "bus/bus_retry.h"
#include "bus/bus_worker.h"

/* Sends each where bus_retry_decide() says. All that the worker had answered has been delivered; its channel (the
 * board) is still there. Counts in w->death. */
void bus_settle_death(struct bus_worker *w);

/* One line: how it ended and what became of its requests; none for an orderly end. */
void bus_settle_log(const struct bus_worker *w, int status);

#endif
