/*
 * Round trips by what the kernel and libc have: a socketpair, eventfds, memcpy().
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "roundtrip.h"

#define MEMCPY_BATCH 65536u /* bytes between two looks at the clock */

/* -- A socketpair ---------------------------------------------------------------------------------------- */

static void socket_make(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
        roundtrip_die("socketpair");
    }
}

static void socket_echo(const struct roundtrip *r, int *fds)
{
    char *bytes = roundtrip_room(r->payload);

    while (recv(fds[1], bytes, r->payload, 0) > 0 && send(fds[1], bytes, r->payload, MSG_NOSIGNAL) > 0) {
    }
}

/* As many as go into the socket: it may hold fewer than are wanted. */
static void socket_fill(const struct roundtrip *r, int fd, const char *bytes, unsigned *out)
{
    for (; *out < r->in_flight; ++*out) {
        if (send(fd, bytes, r->payload, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            if (errno != EAGAIN) {
                roundtrip_die("send");
            }
            return;
        }
    }
}

static uint64_t socket_drive(struct roundtrip *r, int *fds)
{
    char *bytes = roundtrip_room(r->payload);
    uint64_t start = clock_now(), last = 0, done = 0;
    unsigned out = 0;

    while (!roundtrip_over(r, start, &last)) {
        socket_fill(r, fds[0], bytes, &out);
        if (recv(fds[0], bytes, r->payload, 0) <= 0) {
            roundtrip_die("recv");
        }
        out--;
        done++;
    }
    close(fds[0]);
    free(bytes);
    return done;
}

const struct roundtrip_way roundtrip_socketpair = {.name = "socketpair",
                                                   .payload_max =
                                                       65536, /* what a socket takes as one message */
                                                   .in_flight_max = UINT_MAX,
                                                   .make = socket_make,
                                                   .drive = socket_drive,
                                                   .echo = socket_echo};

/* -- Two eventfds, read from and written to by turns ------------------------------------------------------ */

static void eventfd_make(int fds[2])
{
    for (int i = 0; i < 2; i++) {
        if ((fds[i] = eventfd(0, EFD_CLOEXEC)) < 0) {
            roundtrip_die("eventfd");
        }
    }
}

static void eventfd_echo(const struct roundtrip *r, int *fds)
{
    eventfd_t count;

    (void)r;
    while (eventfd_read(fds[1], &count) == 0 && eventfd_write(fds[0], 1) == 0) {
    }
}

static uint64_t eventfd_drive(struct roundtrip *r, int *fds)
{
    uint64_t start = clock_now(), last = 0, done = 0;
    eventfd_t count;

    while (!roundtrip_over(r, start, &last)) {
        if (eventfd_write(fds[1], 1) != 0 || eventfd_read(fds[0], &count) != 0) {
            roundtrip_die("eventfd");
        }
        done++;
    }
    return done;
}

const struct roundtrip_way roundtrip_eventfd = {.name = "eventfd",
                                                .payload_max = ROUNDTRIP_MIN,
                                                .in_flight_max = 1,
                                                .make = eventfd_make,
                                                .both = true,
                                                .drive = eventfd_drive,
                                                .echo = eventfd_echo};

/* -- A copy each way, in one process ---------------------------------------------------------------------- */

static uint64_t memcpy_drive(struct roundtrip *r, int *fds)
{
    char *from = roundtrip_room(r->payload), *to = roundtrip_room(r->payload);
    uint64_t start = clock_now(), last = 0, done = 0;

    (void)fds;
    r->times = NULL; /* too short for a clock */
    while (!roundtrip_over(r, start, &last)) {
        for (size_t copied = 0; copied < MEMCPY_BATCH; copied += r->payload) {
            memcpy(to, from, r->payload);
            /* The compiler is not to find out that nobody looks. */
            __asm__ volatile("" ::"r"(to), "r"(from) : "memory");
            memcpy(from, to, r->payload);
            __asm__ volatile("" ::"r"(to), "r"(from) : "memory");
            done++;
        }
    }
    free(from);
    free(to);
    return done;
}

const struct roundtrip_way roundtrip_memcpy = {
    .name = "memcpy", .payload_max = SIZE_MAX, .in_flight_max = 1, .drive = memcpy_drive};
