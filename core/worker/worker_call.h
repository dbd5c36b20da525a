/*
 * Calls: requests that a module of a worker has answered by a handler of the same process.
 */
#ifndef WORKER_CALL_H
#define WORKER_CALL_H

#include "worker/worker_process.h"

/* 0 or LPM_ENOMEM. */
int worker_call_init(struct worker *w);

/* Forgets those that have not started; call before the requests are freed. */
void worker_call_fini(struct worker *w);

/* There may be room for those that wait: the loop looks. */
void worker_call_turn(struct worker *w);

/* About to be answered: if it is too late the caller hears that now, and the request is cancelled. */
void worker_call_look(struct lpm_request *req);

/* Tells the caller, if it still waits, from within this call. `stream`: a copy goes along; -1: none. 0 or LPM_ENOMEM. */
int worker_call_answer(struct lpm_request *req, const struct frame *answer, int stream);

/* The object is not used for it any more. */
void worker_call_end(struct lpm_request *req);

void worker_call_host_init(lpm_host *host);

#endif
