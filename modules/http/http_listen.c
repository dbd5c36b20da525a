/*
 * Taking connections in. Without descriptors left it waits a moment instead of spinning; what is not accepted waits in
 * the kernel's queue, or for another generation's bus.
 */
#include "http_connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#define ACCEPT_BATCH 64 /* connections taken in a turn of the loop, so that those that are there get theirs */
#define PAUSE_MS     100

static void on_pause_end(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *server = arg;
    (void)fd;
    (void)what;
    server->paused = false;
    http_listen_update(server);
}

static void pause_accepting(struct http_server *server, int error)
{
    struct timeval tv = {0, PAUSE_MS * 1000};
    http_server_complain(server, "cannot accept connections: %s: next try in %d ms, %zu connections are open",
                         strerror(error), PAUSE_MS, server->count);
    if (event_add(&server->pause, &tv) == 0) {
        server->paused = true;
    }
}

/* Is it about one connection, which failed before it was ours? */
static bool is_passing(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

/* May one more connection be accepted there? */
static bool has_room(const struct http_listener *listener)
{
    struct http_server *server = listener->server;
    return listener->handoff ? http_handoff_has_room(server)
                             : server->count < server->max && http_server_has_files(server, 1);
}

static void take(const struct http_listener *listener, int fd, const struct sockaddr *peer, socklen_t len)
{
    if (listener->handoff) {
        http_handoff_pass(listener->server, fd, peer, len);
    } else {
        http_connection_new(listener->server, fd, peer);
    }
}

/* Takes in up to `batch` connections that wait: 0, or errno of a failure that the next try would meet too. */
static int accept_waiting(struct http_listener *listener, size_t batch)
{
    for (size_t i = 0; i < batch && has_room(listener); i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);
        int fd = accept4(listener->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take(listener, fd, (const struct sockaddr *)&peer, len);
        } else if (errno == EAGAIN) {
            break;
        } else if (!is_passing(errno)) {
            return errno;
        }
    }
    return 0;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    struct http_listener *listener = arg;
    struct http_server *server = listener->server;
    int error = accept_waiting(listener, ACCEPT_BATCH);
    (void)fd;
    (void)what;
    if (error) {
        pause_accepting(server, error);
    }
    http_listen_update(server);
}

void http_listen_drain(struct http_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        accept_waiting(&server->listeners[i], server->max);
    }
}

void http_listen_update(struct http_server *server)
{
    bool accepts = server->online && !server->draining && !server->paused;
    for (size_t i = 0; i < server->listener_count; i++) {
        struct http_listener *listener = &server->listeners[i];
        bool room = listener->handoff ? !server->handoff.paused
                                      : server->count < server->max && http_server_has_files(server, 1);
        bool wanted = accepts && room;
        if (wanted && !listener->added) {
            listener->added = event_add(&listener->event, NULL) == 0;
        } else if (!wanted && listener->added) {
            event_del(&listener->event);
            listener->added = false;
        }
    }
}

/* An answer waits for no earlier one to be acknowledged: Linux has a listener's connections inherit that. Refused by what is not
 * TCP, which does not wait anyway. */
static void set_no_delay(const struct http_listener *listener)
{
    const int on = 1;
    setsockopt(listener->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

int http_listen_init(struct http_server *server)
{
    const lpm_conf *first = lpm_conf_child(server->conf.node, "listen");
    size_t count = 0;
    for (const lpm_conf *node = first; node; node = lpm_conf_next(node)) {
        count++;
    }
    event_assign(&server->pause, server->base, -1, 0, on_pause_end, server);
    server->listeners = calloc(count ? count : 1, sizeof(*server->listeners));
    if (server->listeners == NULL) {
        return LPM_ENOMEM;
    }
    for (const lpm_conf *node = first; node; node = lpm_conf_next(node)) {
        struct http_listener *listener = &server->listeners[server->listener_count];
        listener->server = server;
        listener->handoff = http_conf_is_handoff(node);
        listener->fd = lpm_supervisor_fd(server->owner, node);
        if (listener->fd < 0) {
            lpm_log(server->owner, LPM_LOG_ERROR, "listen %s: lpm has opened no socket for it",
                    lpm_conf_arg(node, 0).data);
            return LPM_EIO;
        }
        set_no_delay(listener);
        event_assign(&listener->event, server->base, listener->fd, EV_READ | EV_PERSIST, on_acceptable,
                     listener);
        server->listener_count++;
    }
    return 0;
}

void http_listen_fini(struct http_server *server)
{
    server->online = false;
    if (server->listeners) {
        http_listen_update(server);
        event_del(&server->pause);
    }
    free(server->listeners);
    server->listeners = NULL;
    server->listener_count = 0;
}
