/*
 * Waiting with a deadline, for a descriptor or for the end of any process. Nothing here sleeps.
 */
#ifndef WAIT_H
#define WAIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The instant (ns, CLOCK_MONOTONIC) that is `timeout_ms` from now, and the ms that are left until one (0: past). */
uint64_t wait_until(int timeout_ms);
int wait_left(uint64_t deadline);

/* True when `fd` has one of `events` (or an error, or its end) before the deadline. */
bool wait_fd(int fd, short events, uint64_t deadline);

/* A descriptor that stays with this very process, or -1 when there is none of that pid. The caller closes it. */
int wait_open(pid_t pid);

/* True when the process behind the descriptor has ended before the deadline. */
bool wait_gone(int pidfd, uint64_t deadline);

#endif
