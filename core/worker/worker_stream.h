/*
 * Descriptors in a worker: streams and sockets that come with requests, and streams of answers.
 */
#ifndef WORKER_STREAM_H
#define WORKER_STREAM_H

#include "worker/worker_process.h"

/* The request ends, or is given up: what nobody took is closed, and the bus told of a socket. */
void worker_stream_close(struct lpm_request *req);

/* Nobody waits for it any more: calls the module's function, if there is one. */
void worker_stream_cancelled(struct lpm_request *req);

/* The same for all: they are as good as cancelled (lpm_request_cancelled), though an answer may still be welcome. */
void worker_stream_cancel_all(struct worker *w);

void worker_stream_fini(struct worker *w);

void worker_stream_host_init(lpm_host *host);

#endif
