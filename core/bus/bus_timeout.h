/*
 * Time limits of requests.
 */
#ifndef BUS_TIMEOUT_H
#define BUS_TIMEOUT_H

#include "bus/bus_worker.h"

/* A record is made: its timer, which runs nowhere yet. */
void bus_timeout_init_request(struct bus *bus, struct bus_request *req);

/*
 * Watches req->deadline (not 0). When it passes, the enqueuer gets LPM_ETIMEDOUT, and a worker that has the request
 * is told that nobody waits. If it still has it `kill_after` later: a handler that is running then is not coming
 * back, and its worker is killed; a module that has not answered has its place taken away; a worker that runs nothing
 * and still does not react is killed.
 */
void bus_timeout_watch(struct bus_request *req);

/* The enqueuer of a request that a worker has does not wait any more: as after a timeout, but a handler that runs may go on
 * to the end of its time limit and `kill_after`; without a limit for ever. */
void bus_timeout_cancelled(struct bus_request *req);

/* Its answer came, maybe before the handler was back. One that does not come back by its deadline and `kill_after` costs the
 * worker its life, too. */
void bus_timeout_init(struct bus_worker *w);
void bus_timeout_answered(struct bus_worker *w, const struct bus_request *req, uint64_t now);

#endif
