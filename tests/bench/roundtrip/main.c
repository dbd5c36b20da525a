/*
 * Round trips between two processes: over a channel of lpm, and over what bounds it, a bare ring with the same slots and
 * doorbells, a SOCK_SEQPACKET socketpair with one system call to a message, eventfds, and memcpy(). Prints figures.
 *
 * usage: roundtrip MILLISECONDS (of each of some 50 measurements)
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "figure.h"
#include "roundtrip.h"

#define TIMES_MAX (1u << 20)
#define UNDER_WAY ((size_t)256 << 20) /* bytes: more are not outstanding */

static const unsigned outstanding[] = {1, 8, 64, 256, 1024};

static const struct {
    size_t bytes;
    const char *name;
} payloads[] = {{ROUNDTRIP_MIN, "64 B"}, {4096, "4 KiB"}, {65536, "64 KiB"}, {1048576, "1 MiB"}};

static const struct roundtrip_way *const ways[] = {&roundtrip_channel, &roundtrip_ring, &roundtrip_socketpair,
                                                   &roundtrip_eventfd, &roundtrip_memcpy};

#define LENGTH(list) (sizeof(list) / sizeof((list)[0]))

_Noreturn void roundtrip_die(const char *what)
{
    fprintf(stderr, "roundtrip: error: %s: %s\n", what, strerror(errno));
    exit(1);
}

char *roundtrip_room(size_t size)
{
    char *room = malloc(size);

    if (!room) {
        roundtrip_die("memory");
    }
    return memset(room, 'x', size);
}

int roundtrip_listen(int bell, int fd)
{
    struct epoll_event edge = {.events = EPOLLIN | EPOLLET}, level = {.events = EPOLLIN, .data.u32 = 1};
    int loop = epoll_create1(EPOLL_CLOEXEC);

    if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, bell, &edge) < 0 ||
        (fd >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, fd, &level) < 0)) {
        roundtrip_die("epoll");
    }
    return loop;
}

bool roundtrip_sleep(int loop)
{
    struct epoll_event event;
    return epoll_wait(loop, &event, 1, -1) == 1 && event.data.u32 == 1;
}

bool roundtrip_over(struct roundtrip *r, uint64_t start, uint64_t *last)
{
    uint64_t now = clock_now();

    if (r->times && r->time_count < r->time_room && *last != 0) {
        r->times[r->time_count++] = now - *last;
    }
    *last = now;
    return now - start >= r->duration;
}

static pid_t start_echo(const struct roundtrip_way *way, const struct roundtrip *r, int *fds)
{
    pid_t driver = getpid(), child = fork();

    if (child < 0) {
        roundtrip_die("fork");
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!way->both) {
            close(fds[0]);
        }
        if (getppid() == driver) {
            way->echo(r, fds);
        }
        _exit(0);
    }
    if (!way->both) {
        close(fds[1]);
    }
    return child;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void print(const struct roundtrip_way *way, const struct roundtrip *r, const char *payload,
                  double rate)
{
    figure_print(rate, "round trips/s", way->name, "%s, %u outstanding", payload, r->in_flight);
    if (r->time_count > 0) {
        size_t middle = r->time_count / 2;
        qsort(r->times, r->time_count, sizeof(*r->times), by_size);
        figure_print((double)r->times[middle] / 1e3, "us, p50", way->name, "%s, %u outstanding", payload,
                     r->in_flight);
    }
}

static void measure(const struct roundtrip_way *way, struct roundtrip *r, const char *payload)
{
    int fds[2] = {-1, -1};
    pid_t child = 0;
    uint64_t start, done;
    double seconds;

    if (way->make) {
        way->make(fds);
    }
    if (way->echo) {
        child = start_echo(way, r, fds);
    }
    start = clock_now();
    done = way->drive(r, fds);
    seconds = (double)(clock_now() - start) / (double)CLOCK_NS_PER_S;
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    for (int i = 0; way->both && i < 2; i++) {
        close(fds[i]);
    }
    print(way, r, payload, (double)done / seconds);
}

int main(int argc, char **argv)
{
    uint64_t *times = malloc(TIMES_MAX * sizeof(*times));

    if (argc != 2 || !times) {
        fprintf(stderr, "usage: roundtrip MILLISECONDS\n");
        return 2;
    }
    for (size_t i = 0; i < LENGTH(payloads) * LENGTH(outstanding) * LENGTH(ways); i++) {
        size_t payload = i / LENGTH(ways) / LENGTH(outstanding);
        const struct roundtrip_way *way = ways[i % LENGTH(ways)];
        struct roundtrip r = {.payload = payloads[payload].bytes,
                              .in_flight = outstanding[i / LENGTH(ways) % LENGTH(outstanding)],
                              .duration = strtoul(argv[1], NULL, 10) * CLOCK_NS_PER_MS,
                              .time_room = TIMES_MAX};
        r.times = r.in_flight == 1 ? times : NULL;
        if (r.payload <= way->payload_max && r.in_flight <= way->in_flight_max &&
            r.payload * r.in_flight <= UNDER_WAY) {
            measure(way, &r, payloads[payload].name);
        }
    }
    free(times);
    return 0;
}
