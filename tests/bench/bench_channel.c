/*
 * Round trips between two processes over a channel, with 1, 8 and 64 outstanding, beside a bare SOCK_SEQPACKET
 * socketpair with one system call to a message: how many, and what processor time both processes spend on each.
 * Prints lines "name value unit"; takes about two seconds.
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/channel.h"

#define PAYLOAD  64
#define DURATION (300 * CLOCK_NS_PER_MS)

static const unsigned outstanding[] = {1, 8, 64};

static void die(const char *what)
{
    fprintf(stderr, "bench_channel: %s failed\n", what);
    exit(1);
}

static void wait_readable(int fd)
{
    struct pollfd waited = {.fd = fd, .events = POLLIN};
    poll(&waited, 1, -1);
}

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

/* Takes all that is there: how many, or negative at the end. */
static int take(struct channel *ch, int answer)
{
    struct channel_message message;
    const char *why;
    int count = 0, rc;

    while ((rc = channel_next(ch, &message, &why)) == 1) {
        channel_release(ch, &message);
        if (answer) {
            put(ch);
        }
        count++;
    }
    return rc < 0 ? rc : count;
}

static void channel_echo(int fd)
{
    struct channel *ch;
    struct error err;

    if (channel_new_worker(&ch, fd, 5000, &err) < 0) {
        die(err.text);
    }
    while (take(ch, 1) >= 0) {
        channel_flush(ch);
        wait_readable(channel_fd(ch));
    }
    channel_free(ch);
}

static uint64_t over_channel(int fd, unsigned in_flight)
{
    struct channel *ch;
    struct error err;
    uint64_t start = clock_now(), now = start, done = 0;

    if (channel_new_bus(&ch, fd, &err) < 0) {
        die(err.text);
    }
    for (unsigned i = 0; i < in_flight; i++) {
        put(ch);
    }
    while (now - start < DURATION) {
        int n;
        channel_flush(ch);
        wait_readable(channel_fd(ch));
        n = take(ch, 1);
        if (n < 0) {
            die("channel_next");
        }
        done += (unsigned)n;
        now = clock_now();
    }
    channel_free(ch);
    return done;
}

static void socket_echo(int fd)
{
    char bytes[PAYLOAD];

    while (recv(fd, bytes, sizeof(bytes), 0) > 0 && send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0) {
    }
    close(fd);
}

static uint64_t over_socket(int fd, unsigned in_flight)
{
    char bytes[PAYLOAD] = "x";
    uint64_t start = clock_now(), now = start, done = 0;

    for (unsigned i = 0; i < in_flight; i++) {
        if (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0) {
            die("send");
        }
    }
    while (now - start < DURATION) {
        for (unsigned i = 0; i < in_flight; i++, done++) {
            if (recv(fd, bytes, sizeof(bytes), 0) <= 0 || send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0) {
                die("recv or send");
            }
        }
        now = clock_now();
    }
    close(fd);
    return done;
}

static void make_pair(int fds[2], int channel)
{
    struct error err;

    if (channel ? channel_pair(fds, &err) : socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds)) {
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

static void echo(int fd, int channel)
{
    if (channel) {
        channel_echo(fd);
    } else {
        socket_echo(fd);
    }
    _exit(0);
}

/* `channel`: over a channel, else over the bare socket. */
static void measure(const char *name, int channel, unsigned in_flight)
{
    uint64_t cpu = cpu_time(), start, done;
    double seconds;
    int fds[2];
    pid_t child;

    make_pair(fds, channel);
    child = fork();
    if (child < 0) {
        die("fork");
    }
    if (child == 0) {
        close(fds[0]);
        echo(fds[1], channel);
    }
    close(fds[1]);
    start = clock_now();
    done = channel ? over_channel(fds[0], in_flight) : over_socket(fds[0], in_flight);
    seconds = (double)(clock_now() - start) / (double)CLOCK_NS_PER_S;
    waitpid(child, NULL, 0);
    printf("%s_%u %.0f round_trips/s\n", name, in_flight, (double)done / seconds);
    printf("%s_%u_cpu %.0f ns/round_trip\n", name, in_flight, (double)(cpu_time() - cpu) / (double)done);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof(outstanding) / sizeof(outstanding[0]); i++) {
        measure("channel", 1, outstanding[i]);
        measure("socketpair", 0, outstanding[i]);
    }
    return 0;
}
