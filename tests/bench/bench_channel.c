/*
 * Round trips between two processes with 1, 64 and 256 outstanding: over a channel, 64 bytes each; over its ring and its
 * bells alone, without messages; and over a bare SOCK_SEQPACKET socketpair with one system call to a message. How many,
 * and what processor time both processes spend on each. Prints lines "name value unit"; takes about three seconds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/bell.h"
#include "ipc/channel.h"
#include "ipc/ring.h"

#define PAYLOAD  64
#define DURATION (300 * CLOCK_NS_PER_MS)

static const unsigned outstanding[] = {1, 64, 256};

static void die(const char *what)
{
    fprintf(stderr, "bench_channel: %s failed\n", what);
    exit(1);
}

/* Listens to a bell; and to the descriptor beside it, if any. */
static int listen_to(int bell, int fd)
{
    struct epoll_event edge = {.events = EPOLLIN | EPOLLET}, level = {.events = EPOLLIN, .data.u32 = 1};
    int loop = epoll_create1(EPOLL_CLOEXEC);

    if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, bell, &edge) < 0 ||
        (fd >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, fd, &level) < 0)) {
        die("epoll");
    }
    return loop;
}

/* Returns whether it was the descriptor. */
static bool sleep_until_rung(int loop)
{
    struct epoll_event event;
    return epoll_wait(loop, &event, 1, -1) == 1 && event.data.u32 == 1;
}

/* -- A channel ----------------------------------------------------------------------------------------- */

static void put(struct channel *ch)
{
    int code;
    char *room = channel_reserve(ch, PAYLOAD, &code);

    if (room == NULL) {
        die("channel_reserve");
    }
    memset(room, 'x', PAYLOAD);
    channel_commit(ch);
}

/* Takes all that is there and sends as many back: how many, or negative at the end. */
static int take(struct channel *ch)
{
    struct channel_message message;
    const char *why;
    int count = 0, rc;

    while ((rc = channel_next(ch, &message, &why)) == 1) {
        channel_release(ch, &message);
        put(ch);
        count++;
        /* The other side can work beside us. */
        if (count % 32 == 0) {
            channel_flush(ch);
        }
    }
    channel_flush(ch);
    return rc < 0 ? rc : count;
}

static void channel_echo(const int *fds)
{
    struct channel *ch;
    struct error err;
    int loop;

    if (channel_new_worker(&ch, fds[0], 5000, &err) < 0) {
        die(err.text);
    }
    loop = listen_to(channel_bell(ch), channel_fd(ch));
    while (take(ch) >= 0) {
        if (sleep_until_rung(loop)) {
            channel_look(ch);
        }
    }
    channel_free(ch);
}

static uint64_t over_channel(const int *fds, unsigned in_flight)
{
    struct channel *ch;
    struct error err;
    uint64_t start = clock_now(), done = 0;
    int loop;

    if (channel_new_bus(&ch, fds[0], &err) < 0) {
        die(err.text);
    }
    loop = listen_to(channel_bell(ch), -1);
    for (unsigned i = 0; i < in_flight; i++) {
        put(ch);
    }
    channel_flush(ch);
    while (clock_now() - start < DURATION) {
        int n = take(ch);
        if (n < 0) {
            die("channel_next");
        }
        done += (unsigned)n;
        sleep_until_rung(loop);
    }
    channel_free(ch);
    close(loop);
    return done;
}

/* -- Its ring ------------------------------------------------------------------------------------------ */

struct half {
    struct ring_cell cells[RING_SLOTS];
    _Alignas(128) _Atomic uint32_t shown;
    _Alignas(128) _Atomic uint32_t taken; /* of the other half */
    _Alignas(128) _Atomic uint32_t asleep_at;
};

static struct half *halves; /* shared; each process writes its own */

struct ring_end {
    struct half *mine, *theirs;
    struct ring_writer writer;
    struct ring_reader reader;
    int loop, their_bell;
};

static void ring_end_init(struct ring_end *e, int side, const int *bells)
{
    e->mine = &halves[side];
    e->theirs = &halves[1 - side];
    ring_writer_init(&e->writer, e->mine->cells, &e->mine->shown, &e->theirs->taken, 0);
    ring_reader_init(&e->reader, e->theirs->cells, &e->theirs->shown, &e->mine->taken, 0);
    e->loop = listen_to(bells[side], -1);
    e->their_bell = bells[1 - side];
}

static void ring_flush(struct ring_end *e)
{
    uint32_t before = e->writer.published;

    ring_publish(&e->writer, e->writer.next);
    if (bell_due(&e->theirs->asleep_at, before, e->writer.next)) {
        bell_ring(e->their_bell);
    }
}

static void ring_send(struct ring_end *e)
{
    if (ring_room(&e->writer) == 0 && (ring_refresh(&e->writer) < 0 || ring_room(&e->writer) == 0)) {
        die("ring_room");
    }
    ring_put(&e->writer, &(struct ring_slot){0, 1, 0, 0});
}

/* Takes and answers until there is nothing more, and sleeps: how many. */
static unsigned ring_turn(struct ring_end *e)
{
    unsigned count = 0;

    for (;;) {
        struct ring_slot slot;

        if (ring_left(&e->reader) == 0 && ring_look(&e->reader) == 0) {
            ring_flush(e);
            bell_arm(&e->mine->asleep_at, e->reader.next);
            if (ring_look(&e->reader) == 0) {
                sleep_until_rung(e->loop);
                return count;
            }
        }
        ring_read(&e->reader, &slot);
        ring_advance(&e->reader);
        if (slot.len == 0) {
            _exit(0); /* that was the last */
        }
        ring_send(e);
        if (++count % 32 == 0) {
            ring_flush(e);
        }
    }
}

static void ring_echo(const int *bells)
{
    struct ring_end e;

    ring_end_init(&e, 1, bells);
    for (;;) {
        ring_turn(&e);
    }
}

static uint64_t over_ring(const int *bells, unsigned in_flight)
{
    uint64_t start = clock_now(), done = 0;
    struct ring_end e;

    ring_end_init(&e, 0, bells);
    for (unsigned i = 0; i < in_flight; i++) {
        ring_send(&e);
    }
    ring_flush(&e);
    while (clock_now() - start < DURATION) {
        done += ring_turn(&e);
    }
    /* Its answers are not read any more. */
    while (ring_refresh(&e.writer) == 0 && ring_room(&e.writer) == 0) {
        ring_turn(&e);
    }
    ring_put(&e.writer, &(struct ring_slot){0, 0, 0, 0});
    ring_flush(&e);
    close(e.loop);
    return done;
}

/* -- A socket ------------------------------------------------------------------------------------------ */

static void socket_echo(const int *fds)
{
    char bytes[PAYLOAD];

    while (recv(fds[0], bytes, sizeof(bytes), 0) > 0 &&
           send(fds[0], bytes, sizeof(bytes), MSG_NOSIGNAL) > 0) {
    }
}

static uint64_t over_socket(const int *fds, unsigned in_flight)
{
    char bytes[PAYLOAD] = "x";
    uint64_t start = clock_now(), done = 0;

    for (unsigned i = 0; i < in_flight; i++) {
        if (send(fds[0], bytes, sizeof(bytes), MSG_NOSIGNAL) < 0) {
            die("send");
        }
    }
    while (clock_now() - start < DURATION) {
        for (unsigned i = 0; i < in_flight; i++, done++) {
            if (recv(fds[0], bytes, sizeof(bytes), 0) <= 0 ||
                send(fds[0], bytes, sizeof(bytes), MSG_NOSIGNAL) < 0) {
                die("recv or send");
            }
        }
    }
    close(fds[0]);
    return done;
}

/* -- Measuring ----------------------------------------------------------------------------------------- */

static const struct way {
    const char *name;
    uint64_t (*drive)(const int *fds, unsigned in_flight);
    void (*echo)(const int *fds);
} ways[] = {{"channel", over_channel, channel_echo},
            {"ring", over_ring, ring_echo},
            {"socketpair", over_socket, socket_echo}};

static void make_ends(const struct way *way, int fds[2])
{
    struct error err;

    if (way->drive == over_channel) {
        if (channel_pair(fds, &err) < 0) {
            die(err.text);
        }
    } else if (way->drive == over_ring) {
        halves = mmap(NULL, 2 * sizeof(*halves), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        fds[0] = bell_new();
        fds[1] = bell_new();
        if (halves == MAP_FAILED || fds[0] < 0 || fds[1] < 0) {
            die("the ring");
        }
    } else if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
        die("socketpair");
    }
}

/* ns of this process and its dead children. */
static uint64_t cpu_time(void)
{
    static const int who[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    uint64_t us = 0;

    for (size_t i = 0; i < 2; i++) {
        struct rusage usage;
        getrusage(who[i], &usage);
        us += (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000;
        us += (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    }
    return us * 1000;
}

static void measure(const struct way *way, unsigned in_flight)
{
    uint64_t cpu = cpu_time(), start, done;
    bool is_ring = way->drive == over_ring; /* both have both bells */
    double seconds;
    int fds[2];
    pid_t child;

    make_ends(way, fds);
    child = fork();
    if (child < 0) {
        die("fork");
    }
    if (child == 0) {
        if (!is_ring) {
            close(fds[0]);
        }
        way->echo(is_ring ? fds : fds + 1);
        _exit(0);
    }
    if (!is_ring) {
        close(fds[1]);
    }
    start = clock_now();
    done = way->drive(fds, in_flight);
    seconds = (double)(clock_now() - start) / (double)CLOCK_NS_PER_S;
    waitpid(child, NULL, 0);
    if (is_ring) {
        close(fds[0]);
        close(fds[1]);
        munmap(halves, 2 * sizeof(*halves));
    }
    printf("%s_%u %.0f round_trips/s\n", way->name, in_flight, (double)done / seconds);
    printf("%s_%u_cpu %.0f ns/round_trip\n", way->name, in_flight, (double)(cpu_time() - cpu) / (double)done);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof(outstanding) / sizeof(outstanding[0]); i++) {
        for (size_t j = 0; j < sizeof(ways) / sizeof(ways[0]); j++) {
            measure(&ways[j], outstanding[i]);
        }
    }
    return 0;
}
