/*
 * Taking connections in and handing them over. Runs in the bus, which keeps none: a connection is the worker's as soon as
 * its handler was called. When there is no room for more, for whatever reason, it waits a moment instead of spinning; what is
 * not accepted waits in the kernel's queue.
 */
#include "socket_accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ACCEPT_BATCH 64   /* in a turn of the loop */
#define PENDING_MAX  1024 /* connections that the bus holds until a worker has them */
#define PAUSE_MS     100
#define NS_PER_S     UINT64_C(1000000000)

static void complain(struct socket_server *server, const char *what, const char *why)
{
    struct timespec t;
    uint64_t now;

    clock_gettime(CLOCK_MONOTONIC, &t);
    now = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
    if (server->complained_at == 0 || now - server->complained_at >= NS_PER_S) {
        lpm_log(server->s, LPM_LOG_ERROR, "%s: %s", what, why);
        server->complained_at = now;
    }
}

static void pause_block(struct socket_block *block)
{
    struct timeval wait = {0, PAUSE_MS * 1000};
    block->paused = event_add(&block->pause, &wait) == 0;
}

static void on_pause_end(evutil_socket_t fd, short what, void *arg)
{
    struct socket_block *block = arg;
    (void)fd;
    (void)what;
    block->paused = false;
    socket_accept_update(block->server);
}

/* How many connections the workers have, and those that are on their way to one. Without memory: as many as may be. */
static size_t count_connections(const struct socket_block *block)
{
    const struct socket_server *server = block->server;
    size_t count = lpm_supervisor_health(server->s, NULL, 0), sockets = 0, in_flight = 0;
    lpm_health *list = calloc(count + 1, sizeof(*list));

    if (list == NULL) {
        return block->max;
    }
    count = lpm_supervisor_health(server->s, list, count);
    for (size_t i = 0; i < count; i++) {
        sockets += list[i].sockets;
        in_flight += list[i].in_flight;
    }
    free(list);
    /* Of those without an outcome, as many as are not in flight cannot be among the sockets. */
    return sockets + (server->pending > in_flight ? server->pending - in_flight : 0);
}

static bool has_room(struct socket_block *block)
{
    if (block->left == 0) {
        size_t now = count_connections(block);
        block->left = now < block->max ? block->max - now : 0;
    }
    return block->left > 0 && block->server->pending < PENDING_MAX;
}

static void on_outcome(lpm_response *res, void *arg)
{
    struct socket_server *server = arg;

    server->pending--;
    if (lpm_response_error(res) != 0) {
        complain(server, "a connection was closed", lpm_response_error_text(res));
    }
    socket_server_settle(server);
}

/* "127.0.0.1:4711", "[::1]:4711" or "unix:", as lpm_http says it. */
static lpm_slice name_peer(const struct sockaddr_storage *peer, char *room, size_t size)
{
    const struct sockaddr_in *in = (const void *)peer;
    const struct sockaddr_in6 *in6 = (const void *)peer;
    char address[INET6_ADDRSTRLEN] = "";

    if (peer->ss_family == AF_INET) {
        inet_ntop(AF_INET, &in->sin_addr, address, sizeof(address));
        snprintf(room, size, "%s:%u", address, ntohs(in->sin_port));
    } else if (peer->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof(address));
        snprintf(room, size, "[%s]:%u", address, ntohs(in6->sin6_port));
    } else {
        snprintf(room, size, "unix:");
    }
    return lpm_slice_of(room);
}

/* Takes `fd`. 0, or why it was refused. */
static int hand_over(struct socket_listener *listener, int fd, const struct sockaddr_storage *peer)
{
    struct socket_block *block = listener->block;
    char room[INET6_ADDRSTRLEN + 16];
    lpm_header headers[] = {{lpm_slice_of(":remote"), name_peer(peer, room, sizeof(room))},
                            {lpm_slice_of(":listen"), lpm_slice_of(listener->address)}};
    lpm_enqueue spec = {.size = sizeof(spec),
                        .handler = block->handler,
                        .headers = headers,
                        .header_count = 2,
                        .timeout = LPM_DEFAULT,
                        .socket = fd};
    int rc = lpm_supervisor_enqueue(block->server->s, &spec, on_outcome, block->server);

    if (rc != 0) {
        close(fd);
        return rc;
    }
    block->server->pending++;
    block->left--;
    return 0;
}

/* What a connection that is gone already leaves, or a signal. */
static bool is_passing(int error)
{
    return error == EINTR || error == ECONNABORTED;
}

/* Takes in what waits: false when it had better wait a moment. */
static bool accept_waiting(struct socket_listener *listener)
{
    struct socket_block *block = listener->block;
    char text[64];

    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof(peer);
        int fd, rc;

        if (!has_room(block)) {
            complain(block->server, "no connection is accepted for now",
                     block->left == 0 ? "max_connections are with the workers"
                                      : "no worker takes those that wait");
            return false;
        }
        fd = accept4(listener->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            rc = hand_over(listener, fd, &peer);
            if (rc != 0) {
                snprintf(text, sizeof(text), "refused with %d by %s", rc, block->handler_name);
                complain(block->server, "a connection was closed", text);
                return false;
            }
        } else if (errno == EAGAIN) {
            break;
        } else if (!is_passing(errno)) {
            complain(block->server, "cannot accept connections", strerror(errno));
            return false;
        }
    }
    return true;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    struct socket_listener *listener = arg;

    (void)fd;
    (void)what;
    if (!accept_waiting(listener)) {
        pause_block(listener->block);
        socket_accept_update(listener->block->server);
    }
}

static void listen_or_not(struct socket_listener *listener, bool wanted)
{
    if (wanted && !listener->added) {
        listener->added = event_add(&listener->event, NULL) == 0;
    } else if (!wanted && listener->added) {
        event_del(&listener->event);
        listener->added = false;
    }
}

void socket_accept_update(struct socket_server *server)
{
    for (size_t i = 0; i < server->block_count; i++) {
        struct socket_block *block = &server->blocks[i];
        for (size_t k = 0; k < block->listener_count; k++) {
            listen_or_not(&block->listeners[k], server->online && !server->draining && !block->paused);
        }
    }
}

void socket_accept_init(struct socket_block *block)
{
    struct event_base *base = lpm_supervisor_event_base(block->server->s);

    event_assign(&block->pause, base, -1, 0, on_pause_end, block);
    for (size_t i = 0; i < block->listener_count; i++) {
        struct socket_listener *listener = &block->listeners[i];
        event_assign(&listener->event, base, listener->fd, EV_READ | EV_PERSIST, on_acceptable, listener);
    }
}
