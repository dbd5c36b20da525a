/*
 * Load from outside that does not wait for the server: requests are due at instants that were drawn before, and the time of an
 * answer counts from there, not from when a connection was free ("coordinated omission" is when it does). HTTP/1.1 with
 * keep-alive over as many connections as are needed, one request at a time on each. For tests and measurements.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load_setup {
    int port;           /* of 127.0.0.1 */
    const char *source; /* the address to come from, as 127.0.0.2; NULL: any */
    const char *path;
    double rate; /* a second: Poisson arrivals */
    double seconds;
    uint64_t seed;
    bool bursty;          /* half as much again, and half as much, for a quarter of a second each */
    unsigned connections; /* at the most; 0: 512 */
    bool open_all;        /* before the first request; else as they are needed */
    uint64_t limit;       /* ns: what is answered well after that is late; 0: never */
};

struct load_result {
    size_t sent, good, late, failed, refused, none; /* failed: 500; refused: 429, 503; none: no answer came */
    size_t unsaid;                                  /* refused, without Retry-After */
    double p50, p99, p999;                          /* ns, of good ones and those without an answer */
    double refused_p50, refused_p99;                /* ns from when it was sent, of refused ones */
    double seconds;                                 /* until the last answer */
};

/* Runs to its end. 0, or -1 with the reason in `why` (of 128 bytes): no connection, or an answer that is none. */
int load_run(const struct load_setup *setup, struct load_result *result, char *why);

#endif
