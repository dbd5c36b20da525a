/*
 * lpmctl, and what it says of workers.
 */
#ifndef CTL_H
#define CTL_H

#include <stddef.h>
#include <stdint.h>

#include "run.h"
#include "server.h"

#define CTL_MS 20000

struct ctl_worker {
    char pool[72];
    unsigned index;
    pid_t pid;
    char state[16];
    unsigned generation, restarts, in_flight, started, sockets;
    uint64_t requests, uptime, rss, pressure, heap_total, heap_used;
};

/* Starts lpmctl with the words; for run_finish(). */
void ctl_start(struct run *run, const struct server *s, ...) __attribute__((sentinel));

/* Runs it to its end: fails the test unless its status is `status` and standard error holds `err`. */
void ctl(const struct server *s, int status, const char *err, ...) __attribute__((sentinel));

/* `lpmctl health`: returns how many there are (at most `max` are written). */
size_t ctl_health(const struct server *s, struct ctl_worker *list, size_t max);

/* The same until `good` likes it, for 20 s at most; `what` is for the failure. */
size_t ctl_health_until(const struct server *s, struct ctl_worker *list, size_t max, const char *what,
                        bool (*good)(const struct ctl_worker *list, size_t count, const void *arg),
                        const void *arg);

#endif
