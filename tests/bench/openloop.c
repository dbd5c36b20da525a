/*
 * Load from outside that does not wait for the server: requests are due at instants that were drawn before, and the time of an
 * answer counts from there, not from when a connection was free ("coordinated omission" is when it does). HTTP/1.1 with
 * keep-alive over as many connections as are needed, one request at a time on each.
 *
 * usage: openloop PORT PATH RATE SECONDS SEED WHO FIGURE [bursty]
 *
 * Prints figures. Fails when it cannot connect, or an answer is none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "figure.h"

#define CONNECTIONS 512
#define GIVE_UP     (5 * CLOCK_NS_PER_S) /* after the last was due */
#define BURST       (CLOCK_NS_PER_S / 4) /* half as much again, and half as much, for so long each */

struct connection {
    int fd;
    size_t request;
    size_t got;
    char head[512];
    struct connection *next; /* of those that are free */
};

struct request {
    uint64_t due, answered;
    int status; /* 0: none came */
};

struct load {
    int epoll;
    struct sockaddr_in address;
    char text[256];
    size_t text_len;
    struct request *requests;
    size_t count, sent, answered;
    struct connection *connections, *free;
    size_t connection_count;
};

static void die(const char *what)
{
    fprintf(stderr, "openloop: error: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void draw(struct load *load, double rate, unsigned seconds, unsigned short seed, bool bursty)
{
    unsigned short state[3] = {seed, 0x330e, 1};
    double at = 0, gap = 1e9 / rate;

    load->count = (size_t)(rate * seconds);
    load->requests = calloc(load->count, sizeof(*load->requests));
    load->connections = calloc(CONNECTIONS, sizeof(*load->connections));
    if (!load->requests || !load->connections || load->count == 0) {
        die("no requests");
    }
    for (size_t i = 0; i < load->count; i++) {
        double now = !bursty ? 1 : (uint64_t)at / BURST % 2 == 0 ? 1.5 : 0.5;
        at += -log(1 - erand48(state)) * gap / now;
        load->requests[i].due = (uint64_t)at;
    }
}

/* A connection that is free, a new one while there may be more; NULL: the request waits for one. */
static struct connection *get_connection(struct load *load)
{
    struct connection *c = load->free;
    struct epoll_event event = {.events = EPOLLIN};
    int on = 1;

    if (c) {
        load->free = c->next;
        return c;
    }
    if (load->connection_count == CONNECTIONS) {
        return NULL;
    }
    c = &load->connections[load->connection_count++];
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&load->address, sizeof(load->address)) != 0) {
        die("connect");
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    event.data.ptr = c;
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        die("epoll_ctl");
    }
    return c;
}

static void send_due(struct load *load, uint64_t now)
{
    struct connection *c;

    while (load->sent < load->count && load->requests[load->sent].due <= now && (c = get_connection(load))) {
        c->request = load->sent++;
        c->got = 0;
        if (send(c->fd, load->text, load->text_len, MSG_NOSIGNAL) != (ssize_t)load->text_len) {
            die("send");
        }
    }
}

/* The whole length of the answer whose head is complete, or 0. */
static size_t answer_length(const struct connection *c)
{
    const char *end = strstr(c->head, "\r\n\r\n"), *length = strcasestr(c->head, "\r\ncontent-length:");

    return end && length && length < end ? (size_t)(end + 4 - c->head) + strtoul(length + 17, NULL, 10) : 0;
}

static void receive(struct load *load, struct connection *c, uint64_t now)
{
    ssize_t n = recv(c->fd, c->head + c->got, sizeof(c->head) - 1 - c->got, 0);

    if (n <= 0) {
        die("an answer was cut");
    }
    c->got += (size_t)n;
    c->head[c->got] = '\0';
    size_t length = answer_length(c);
    if (length > 0 && c->got == length) {
        load->requests[c->request].answered = now;
        load->requests[c->request].status = atoi(c->head + strlen("HTTP/1.1 "));
        load->answered++;
        c->next = load->free;
        load->free = c;
    } else if (c->got == sizeof(c->head) - 1) {
        errno = EMSGSIZE;
        die("an answer");
    }
}

static void run(struct load *load)
{
    uint64_t begin = clock_now(), now = 0, end = load->requests[load->count - 1].due + GIVE_UP;

    while (load->answered < load->count && now < end) {
        struct epoll_event events[64];
        struct timespec wait = {0, 1000000};
        if (load->sent < load->count) {
            uint64_t due = load->requests[load->sent].due;
            wait.tv_nsec = due <= now ? 100000 : due - now < 1000000 ? (long)(due - now) : 1000000;
        }
        int n = epoll_pwait2(load->epoll, events, 64, &wait, NULL);
        now = clock_now() - begin;
        for (int i = 0; i < n; i++) {
            receive(load, events[i].data.ptr, now);
        }
        send_due(load, now);
    }
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* What was not answered took until the end, at the least. */
static void tell(const struct load *load, const char *who, const char *figure)
{
    uint64_t *times = calloc(load->count, sizeof(*times));
    uint64_t end = load->requests[load->count - 1].due + GIVE_UP;
    size_t n = 0, failed = 0, refused = 0, none = 0;

    if (!times) {
        die("calloc");
    }
    for (size_t i = 0; i < load->count; i++) {
        const struct request *r = &load->requests[i];
        failed += r->status == 500;
        refused += r->status == 503 || r->status == 429;
        none += r->status == 0;
        if (r->status == 200 || r->status == 0) {
            times[n++] = (r->status ? r->answered : end) - r->due;
        }
    }
    qsort(times, n, sizeof(*times), by_size);
    for (size_t i = 0; n > 0 && i < 3; i++) {
        static const char *const names[] = {"ms, p50", "ms, p99", "ms, p99.9"};
        static const size_t parts[] = {500, 990, 999};
        size_t place = n * parts[i] / 1000;
        figure_print((double)times[place] / 1e6, names[i], who, "%s", figure);
    }
    figure_print((double)failed, "requests failed", who, "%s", figure);
    figure_print((double)refused, "requests refused", who, "%s", figure);
    figure_print((double)none, "requests unanswered", who, "%s", figure);
    free(times);
}

int main(int argc, char **argv)
{
    struct load load = {.epoll = epoll_create1(EPOLL_CLOEXEC)};

    if (argc < 8) {
        fprintf(stderr, "usage: openloop PORT PATH RATE SECONDS SEED WHO FIGURE [bursty]\n");
        return 2;
    }
    load.address = (struct sockaddr_in){.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)atoi(argv[1])),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    load.text_len =
        (size_t)snprintf(load.text, sizeof(load.text), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[2]);
    draw(&load, strtod(argv[3], NULL), (unsigned)atoi(argv[4]), (unsigned short)atoi(argv[5]),
         argc > 8 && strcmp(argv[8], "bursty") == 0);
    run(&load);
    tell(&load, argv[6], argv[7]);
    for (size_t i = 0; i < load.connection_count; i++) {
        close(load.connections[i].fd);
    }
    close(load.epoll);
    free(load.connections);
    free(load.requests);
    return 0;
}
