/*
 * The module in a worker: connections that the bus has handed over.
 */
#ifndef HTTP_WORKER_H
#define HTTP_WORKER_H

#include "http_server.h"

/* 0, or LPM_E... with the reason logged. Owned: http_server_free(). NULL with 0: no listener has the word `handoff`. */
int http_worker_new(struct http_server **server, lpm_worker *w);

/* The module's handler: a connection comes. */
void http_worker_take(lpm_request *req);

#endif
