/*
 * The end of a worker. Its channel ends first, then, for certain, the process: in between it may still run, even start
 * requests that it had received.
 */
#ifndef BUS_END_H
#define BUS_END_H

#include "bus/bus_worker.h"

void bus_end_init(struct bus_worker *w);
void bus_end_fini(struct bus_worker *w);

/* Dispatch sees nothing of it. */
void bus_end_reset_load(struct bus_worker *w);

/* Nothing more is read or sent. Those of its requests that have their outcome by this get it; what could be sent to
 * another worker waits until this one cannot start it any more. */
void bus_end_channel(struct bus_worker *w);

/* Asks the master to kill it, and ends its channel. */
void bus_end_kill(struct bus_worker *w, const char *why);

/* The same for one that hangs: it is given a moment to say where. */
void bus_end_abort(struct bus_worker *w, const char *why);

/* The process is no more: all that it had is settled. */
void bus_end_bury(struct bus_worker *w);

#endif
