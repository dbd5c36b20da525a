/*
 * Instants. Durations in configuration are milliseconds, -1 for none; instants are nanoseconds.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#define CLOCK_NS_PER_MS UINT64_C(1000000)
#define CLOCK_NS_PER_S  UINT64_C(1000000000)

/* Now: ns, CLOCK_MONOTONIC. */
static inline uint64_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * CLOCK_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* What has to be added to an instant of clock_now() to have it by the wall clock: ns since 1970. */
static inline uint64_t clock_wall_offset(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * CLOCK_NS_PER_S + (uint64_t)t.tv_nsec - clock_now();
}

/* `ns` rounded up to the microsecond, for libevent: a timer never fires before its instant. */
static inline struct timeval clock_timeval(uint64_t ns)
{
    uint64_t us = (ns + 999) / 1000;
    struct timeval tv = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
    return tv;
}

#endif
