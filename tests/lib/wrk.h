/*
 * Load: wrk, bounded in time, and what it reports.
 */
#ifndef WRK_H
#define WRK_H

#include <stdint.h>

#include "run.h"

struct wrk {
    struct run run;
    int seconds;
    uint64_t requests;
    uint64_t errors; /* answers with a status over 399 */
    uint64_t connect_errors, read_errors, write_errors, timeouts;
    double rate;     /* requests per second */
    double p50, p99; /* latency: ms */
};

/* Starts wrk: one thread, `connections`, for `seconds`, GETs to http://127.0.0.1:PORT/TARGET; `script`: a Lua file,
 * or NULL. */
void wrk_start(struct wrk *w, int port, const char *target, int connections, int seconds, const char *script);

/* Waits for it and parses its report; fails the test when there is none. */
void wrk_finish(struct wrk *w);

/* All socket errors together. */
uint64_t wrk_socket_errors(const struct wrk *w);

#endif
