/*
 * Requests in a worker: from the bus's frame to the module's handler, and its answer back.
 */
#ifndef WORKER_REQUEST_H
#define WORKER_REQUEST_H

#include "worker/worker_process.h"

void worker_request_init(struct worker *w);

/* Runs the handler. Takes `message`, in which `frame` lies. Returns 0, or LPM_EPROTO when the bus names a handler
 * or slot that cannot be, LPM_ENOMEM. */
int worker_request_run(struct worker *w, struct channel_message *message, const struct frame *frame);

/* An object for a request of `owner` that is open from now on, or NULL: no memory. Its frame, and what that lies in, are the
 * caller's to fill. */
struct lpm_request *worker_request_new(struct worker *w, struct lpm_worker *owner);

/* Takes back one that has no place, or none any more. */
void worker_request_put(struct lpm_request *req);

/* A handler is back, no answer has told the bus of it since, and it wants to know: tells it, unless there is more to do, which
 * will tell. Call when something else was done instead. */
void worker_request_tell_idle(struct worker *w);

/* The request of that key, or NULL when it is answered already. */
struct lpm_request *worker_request_find(const struct worker *w, struct frame_key key);

/* Its place is free again, and the bus told. Its module may answer for nothing whenever it likes: until then the object is
 * not used again, so that what comes late meets no other request. */
void worker_request_abandon(struct lpm_request *req);

/* The calls of the same names in lpm/module.h. `stream`: goes with the answer, stays the caller's; -1: none. */
int worker_request_header(struct lpm_request *req, lpm_slice name, lpm_slice value);
int worker_request_respond(struct lpm_request *req, const void *data, size_t len, int stream);

/* A call on a request that was answered already: says so, and returns LPM_EDONE. */
int worker_request_misused(const struct lpm_request *req, const char *call);

void worker_request_free_all(struct worker *w);

#endif
