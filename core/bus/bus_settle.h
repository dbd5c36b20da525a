/*
 * The requests of a worker that died.
 */
#ifndef BUS_SETTLE_H
#define BUS_SETTLE_H

#include "bus/bus_retry.h"
#include "bus/bus_worker.h"

/* Sends each where bus_retry_decide() says, by the board in w->over. All that the worker had answered has been delivered.
 * Unless it is `dead`, those that are to be sent to another worker are kept: it might start them yet. Counts in w->death. */
void bus_settle_death(struct bus_worker *w, bool dead);

/* One line: how it ended and what became of its requests; none for an orderly end. */
void bus_settle_log(const struct bus_worker *w, int status);

#endif
