/*
 * Open-loop load. Runs in test programs and measurements.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim_random.h"

#define CONNECTIONS 512
#define GIVE_UP     (5 * CLOCK_NS_PER_S) /* after the last was due */
#define BURST       (CLOCK_NS_PER_S / 4)

struct connection {
    int fd;
    size_t request;
    size_t got;
    char head[512];
    struct connection *next; /* of those that are free */
};

struct request {
    uint64_t due, sent, answered;
    int status; /* 0: none came */
    bool said;  /* with Retry-After */
};

struct load {
    const struct load_setup *setup;
    char *why;
    int epoll;
    char text[256];
    size_t text_len;
    struct request *requests;
    size_t count, sent, answered;
    struct connection *connections, *free;
    size_t connection_count, connection_max;
};

static int fail(struct load *load, const char *what)
{
    snprintf(load->why, 128, "%s: %s", what, strerror(errno));
    return -1;
}

static int draw(struct load *load)
{
    const struct load_setup *setup = load->setup;
    uint64_t seed = setup->seed;
    double at = 0, gap = 1e9 / setup->rate;

    load->count = (size_t)(setup->rate * setup->seconds);
    load->connection_max = setup->connections ? setup->connections : CONNECTIONS;
    load->requests = calloc(load->count + 1, sizeof(*load->requests));
    load->connections = calloc(load->connection_max, sizeof(*load->connections));
    if (!load->requests || !load->connections || load->count == 0) {
        return fail(load, "no requests");
    }
    for (size_t i = 0; i < load->count; i++) {
        double now = !setup->bursty ? 1 : (uint64_t)at / BURST % 2 == 0 ? 1.5 : 0.5;
        at += sim_random_exponential(&seed) * gap / now;
        load->requests[i].due = (uint64_t)at;
    }
    return 0;
}

static int open_connection(struct load *load, struct connection *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)load->setup->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    load->connection_count++;
    if (load->setup->source && (inet_pton(AF_INET, load->setup->source, &from.sin_addr) != 1 ||
                                bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0)) {
        return fail(load, "bind");
    }
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        return fail(load, "connect");
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event) == 0 ? 0 : fail(load, "epoll_ctl");
}

/* All that there may be, so that the server has them from the beginning. */
static int open_all(struct load *load)
{
    while (load->connection_count < load->connection_max) {
        struct connection *c = &load->connections[load->connection_count];
        if (open_connection(load, c) != 0) {
            return -1;
        }
        c->next = load->free;
        load->free = c;
    }
    return 0;
}

/* One that is free, a new one while there may be more; NULL with 0: the request waits for one. */
static int get_connection(struct load *load, struct connection **c)
{
    *c = load->free;
    if (*c) {
        load->free = (*c)->next;
        return 0;
    }
    if (load->connection_count == load->connection_max) {
        return 0;
    }
    *c = &load->connections[load->connection_count];
    return open_connection(load, *c);
}

static int send_due(struct load *load, uint64_t now)
{
    struct connection *c;

    while (load->sent < load->count && load->requests[load->sent].due <= now) {
        if (get_connection(load, &c) != 0) {
            return -1;
        }
        if (!c) {
            return 0;
        }
        load->requests[load->sent].sent = now;
        c->request = load->sent++;
        c->got = 0;
        if (send(c->fd, load->text, load->text_len, MSG_NOSIGNAL) != (ssize_t)load->text_len) {
            return fail(load, "send");
        }
    }
    return 0;
}

/* The whole length of the answer whose head is complete, or 0. */
static size_t answer_length(const struct connection *c)
{
    const char *end = strstr(c->head, "\r\n\r\n"), *length = strcasestr(c->head, "\r\ncontent-length:");

    return end && length && length < end ? (size_t)(end + 4 - c->head) + strtoul(length + 17, NULL, 10) : 0;
}

static int receive(struct load *load, struct connection *c, uint64_t now)
{
    ssize_t n = recv(c->fd, c->head + c->got, sizeof(c->head) - 1 - c->got, 0);
    struct request *req = &load->requests[c->request];
    size_t length;

    if (n <= 0) {
        return fail(load, "an answer was cut");
    }
    c->got += (size_t)n;
    c->head[c->got] = '\0';
    length = answer_length(c);
    if (length == 0 || c->got != length) {
        errno = EMSGSIZE;
        return c->got == sizeof(c->head) - 1 ? fail(load, "an answer") : 0;
    }
    req->answered = now;
    req->status = atoi(c->head + strlen("HTTP/1.1 "));
    req->said = strcasestr(c->head, "\r\nretry-after: ") != NULL;
    load->answered++;
    c->next = load->free;
    load->free = c;
    return 0;
}

static int run(struct load *load)
{
    uint64_t begin = clock_now(), now = 0, end = load->requests[load->count - 1].due + GIVE_UP;

    while (load->answered < load->count && now < end) {
        struct epoll_event events[64];
        struct timespec wait = {0, 1000000};
        int n;
        if (load->sent < load->count) {
            uint64_t due = load->requests[load->sent].due;
            wait.tv_nsec = due <= now ? 100000 : due - now < 1000000 ? (long)(due - now) : 1000000;
        }
        n = epoll_pwait2(load->epoll, events, 64, &wait, NULL);
        now = clock_now() - begin;
        for (int i = 0; i < n; i++) {
            if (receive(load, events[i].data.ptr, now) != 0) {
                return -1;
            }
        }
        if (send_due(load, now) != 0) {
            return -1;
        }
    }
    return 0;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double quantile(const uint64_t *sorted, size_t n, size_t thousandths)
{
    return n > 0 ? (double)sorted[n * thousandths / 1000] : 0;
}

static bool is_refusal(const struct request *r)
{
    return r->status == 429 || r->status == 503;
}

/* What was not answered took until the end, at the least. */
static int sum_up(struct load *load, struct load_result *result)
{
    uint64_t *times = calloc(load->count, sizeof(*times)), *refusals = calloc(load->count, sizeof(*times));
    uint64_t end = load->requests[load->count - 1].due + GIVE_UP, last = 0;
    size_t n = 0;

    *result = (struct load_result){.sent = load->sent};
    for (size_t i = 0; times && refusals && i < load->count; i++) {
        const struct request *r = &load->requests[i];
        result->failed += r->status == 500;
        result->none += r->status == 0;
        last = r->answered > last ? r->answered : last;
        if (is_refusal(r)) {
            refusals[result->refused++] = r->answered - r->sent;
            result->unsaid += !r->said;
        } else if (r->status == 200 || r->status == 0) {
            times[n++] = (r->status ? r->answered : end) - r->due;
            result->good += r->status == 200;
            result->late +=
                r->status == 200 && load->setup->limit && r->answered - r->sent > load->setup->limit;
        }
    }
    result->seconds = (double)last / 1e9;
    if (times && refusals) {
        qsort(times, n, sizeof(*times), by_size);
        qsort(refusals, result->refused, sizeof(*refusals), by_size);
        result->p50 = quantile(times, n, 500);
        result->p99 = quantile(times, n, 990);
        result->p999 = quantile(times, n, 999);
        result->refused_p50 = quantile(refusals, result->refused, 500);
        result->refused_p99 = quantile(refusals, result->refused, 990);
    }
    free(times);
    free(refusals);
    return times && refusals ? 0 : fail(load, "calloc");
}

int load_run(const struct load_setup *setup, struct load_result *result, char *why)
{
    struct load load = {.setup = setup, .why = why, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    int rc;

    load.text_len = (size_t)snprintf(load.text, sizeof(load.text),
                                     "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", setup->path);
    rc = draw(&load);
    rc = rc == 0 && setup->open_all ? open_all(&load) : rc;
    rc = rc == 0 ? run(&load) : rc;
    rc = rc == 0 ? sum_up(&load, result) : rc;
    for (size_t i = 0; i < load.connection_count; i++) {
        close(load.connections[i].fd);
    }
    close(load.epoll);
    free(load.connections);
    free(load.requests);
    return rc;
}
