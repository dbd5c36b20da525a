/*
 * The event loop of bus and worker.
 */
#ifndef ROLE_BASE_H
#define ROLE_BASE_H

#include <event2/event.h>

/* One that can listen for edges, as the bells of channels need it, whatever the environment says. NULL: out of memory. */
struct event_base *role_base_new(void);

#endif
