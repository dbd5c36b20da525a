/*
 * Events in a worker: broadcasts to its modules' listeners, and what its modules emit.
 */
#ifndef WORKER_EVENT_H
#define WORKER_EVENT_H

#include "worker/worker_process.h"

void worker_event_init(struct worker *w);

/* A broadcast: calls the listeners. `fd`: the descriptor that came with it, or -1; what nobody takes is closed. */
void worker_event_broadcast(struct worker *w, const struct frame *frame, int fd);

/* The bus's answer to an emit. LPM_EPROTO: to none. */
int worker_event_reply(struct worker *w, const struct frame *frame);

/* Tells the listeners of `m` of one of the core's own events, with `req` (NULL: without). Returns how many there were. */
size_t worker_event_tell(struct lpm_worker *m, const char *name, lpm_request *req);

/* The end: every emit that waits for a reply gets LPM_ESHUTDOWN, and listeners are forgotten. */
void worker_event_fini(struct worker *w);

void worker_event_host_init(lpm_host *host);

#endif
