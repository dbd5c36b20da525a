/*
 * Events in the bus: its modules' listeners, what workers emit, and broadcasts.
 */
#ifndef BUS_EVENT_H
#define BUS_EVENT_H

#include "bus/bus_worker.h"

/* A worker emitted an event: calls the listeners, and answers for them when there are none. Returns why the worker has to
 * go, or NULL. */
const char *bus_event_emitted(struct bus_worker *w, const struct frame *frame);

/* The worker is gone: answers to what it emitted have nowhere to go. */
void bus_event_forget(struct bus_worker *w);

/* Tells every listener of one of the core's own events: about `w` (NULL: about none), with `text` as its data. Returns how
 * many there were. */
size_t bus_event_tell(struct bus *bus, const char *name, const struct bus_worker *w, const char *text);

/* SIGINT came for the modules. When none listens any more, it is the hard kill that it is without them. */
void bus_event_sigint(struct bus *bus);

void bus_event_init(struct bus *bus);
void bus_event_fini(struct bus *bus);

/* The calls of events and of the requests that they carry, in the host table. */
void bus_event_host_init(lpm_host *host);

#endif
