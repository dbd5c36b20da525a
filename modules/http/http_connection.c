/*
 * One client's connection: its states. Runs in the bus, within callbacks of its loop; a fault of the client or of the
 * system ends this connection and harms no other.
 */
#include "http_connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define FRESH_DRAIN_MS 2000 /* at a soft kill, for the first request of a connection that was just taken in */
#define NEXT_DRAIN_MS  1000 /* and from an answer to the next request, which may be on its way */
#define LINGER_IDLE_MS 5000
#define LINGER_MS      10000
#define LINGER_BYTES   (16u << 20)

/* Two thirds of it are the two events of libevent. tests/bench/parts/idle.sh puts it beside nginx's. */
_Static_assert(sizeof(struct http_connection) <= 416, "an idle connection is to stay small");

/* -- Life --------------------------------------------------------------------------------------------- */

void http_connection_release(struct http_connection *c)
{
    if (c->in == NULL) {
        return;
    }
    if (c->writing) {
        event_del(&c->work->write);
        c->writing = false;
    }
    http_buffer_release(&c->work->out, &c->server->buffers);
    http_buffer_release(&c->work->body.data, &c->server->buffers);
    http_stock_put(&c->server->inputs, c->in);
    c->in = NULL;
    c->work = NULL;
}

void http_connection_close(struct http_connection *c)
{
    struct http_server *server = c->server;
    if (c->work) {
        if (c->state == HTTP_WAIT) {
            server->role->cancel(server, c->work->x.ticket);
        }
        http_upload_close(c);
        http_stream_close(c);
    }
    http_connection_release(c);
    event_del(&c->read);
    event_del(&c->timer);
    if (c->fd >= 0) {
        server->role->close(server, c->fd);
    }
    if (c->next) {
        c->next->prev = c->prev;
    }
    *(c->prev ? &c->prev->next : &server->first) = c->next;
    http_stock_put(&server->connections, c);
    server->count--;
    http_server_left(server);
}

void http_connection_abort(struct http_connection *c)
{
    if (c->work) {
        if (c->state < HTTP_SEND) {
            c->work->x.status = 499; /* nginx's: the client was gone before there was an answer */
        }
        http_exchange_log(c);
    }
    http_connection_close(c);
}

/* Bytes behind the present request's. */
static bool has_more(const struct http_connection *c)
{
    return c->in && c->in->end - c->in->start > c->work->x.length;
}

/* Has the kernel bytes that nobody has read? A close would then reset the connection. */
static bool has_unread(const struct http_connection *c)
{
    char byte;
    return recv(c->fd, &byte, 1, MSG_PEEK) > 0;
}

/* The client may still be writing: to close now could destroy the answer before it has read it. */
static void linger(struct http_connection *c)
{
    shutdown(c->fd, SHUT_WR);
    http_connection_release(c);
    c->state = HTTP_LINGER;
    c->linger_end = http_now() + (uint64_t)LINGER_MS * 1000000;
    http_io_deadline(c, LINGER_IDLE_MS);
    http_io_level(c);
}

void http_connection_end(struct http_connection *c)
{
    http_upload_close(c);
    if (c->eof || (c->work->x.received && !has_more(c) && !has_unread(c))) {
        http_connection_close(c);
    } else {
        linger(c);
    }
}

/* -- Events ------------------------------------------------------------------------------------------- */

static void drop_input(struct http_connection *c)
{
    char bytes[16384];
    ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);
    uint64_t now;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    now = http_now();
    c->lingered += n > 0 ? (uint32_t)n : 0;
    if (n <= 0 || c->lingered > LINGER_BYTES || now >= c->linger_end) {
        http_connection_close(c);
        return;
    }
    http_io_deadline(c, LINGER_IDLE_MS);
}

/* Not reading: was it a reset? */
static void look_for_reset(struct http_connection *c)
{
    struct pollfd p = {.fd = c->fd, .events = 0};
    /* Both sides have ended, when the answer was the last: what the client sent is still to be passed on. */
    short gone = c->state == HTTP_TAIL ? POLLERR : POLLERR | POLLHUP;
    if (poll(&p, 1, 0) == 1 && (p.revents & gone)) {
        http_connection_abort(c);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct http_connection *c = arg;
    ssize_t n;
    (void)fd;
    if (c->paused) {
        look_for_reset(c);
        return;
    }
    if (c->state == HTTP_LINGER) {
        drop_input(c);
        return;
    }
    if (c->work && c->work->upload.open) {
        http_upload_run(c);
        return;
    }
    n = http_io_read(c);
    if (n == -EAGAIN) {
        return;
    }
    if (n == -ENOBUFS) {
        http_io_pause(c);
        return;
    }
    if (n < 0) {
        http_connection_abort(c);
        return;
    }
    if (n > 0 && (what & EV_CLOSED)) {
        http_io_tell_again(c); /* the end has come already, behind these bytes */
    }
    if (n == 0) {
        c->eof = true;
        if (!c->server->conf.half_close && (c->state == HTTP_WAIT || c->work->stream.open)) {
            http_connection_abort(c);
            return;
        }
        http_io_pause(c);
    }
    if (c->state < HTTP_WAIT) {
        http_step_run(c);
    }
}

static void expired(struct http_connection *c)
{
    switch (c->state) {
    case HTTP_HEAD:
        if (!http_parse_begun(&c->in->parse, c->in->end - c->in->start)) {
            http_connection_close(c);
            break;
        }
        c->work->x.open = true;
        http_exchange_refuse(c, 408, "the header did not arrive in time", 0);
        http_step_run(c);
        break;
    case HTTP_BODY:
        http_exchange_refuse(c, 408, "the body did not arrive in time", 0);
        http_step_run(c);
        break;
    case HTTP_SEND:
        http_connection_abort(c);
        break;
    case HTTP_WAIT:
        break;
    default:
        http_connection_close(c);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct http_connection *c = arg;
    uint64_t now = http_now();
    (void)fd;
    (void)what;
    c->timer_at = 0;
    if (c->deadline == 0) {
        return;
    }
    if (now < c->deadline) {
        uint64_t us = (c->deadline - now + 999) / 1000;
        struct timeval tv = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
        c->timer_at = event_add(&c->timer, &tv) == 0 ? c->deadline : 0;
        return;
    }
    c->deadline = 0;
    expired(c);
}

/* -- Beginning and end -------------------------------------------------------------------------------- */

static void describe_peer(struct http_connection *c, const struct sockaddr *peer)
{
    char address[INET6_ADDRSTRLEN];
    int len;
    if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)peer;
        inet_ntop(AF_INET, &in->sin_addr, address, sizeof(address));
        len = snprintf(c->remote, sizeof(c->remote), "%s:%u", address, ntohs(in->sin_port));
    } else if (peer->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)peer;
        inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof(address));
        len = snprintf(c->remote, sizeof(c->remote), "[%s]:%u", address, ntohs(in6->sin6_port));
        c->address_at = 1;
    } else {
        snprintf(address, sizeof(address), "unix:");
        len = snprintf(c->remote, sizeof(c->remote), "%s", address);
    }
    c->address_len = (uint8_t)strlen(address);
    c->remote_len = (uint8_t)len;
}

struct http_connection *http_connection_new(struct http_server *server, int fd, const struct sockaddr *peer)
{
    struct http_connection *c = http_stock_get(&server->connections);
    if (c == NULL) {
        server->role->close(server, fd);
        return NULL;
    }
    memset(c, 0, sizeof(*c));
    c->server = server;
    c->fd = fd;
    c->fresh = true;
    describe_peer(c, peer);
    if (server->conf.names_clients) {
        http_client_of_peer(&c->client, peer);
    }
    event_assign(&c->timer, server->base, -1, 0, on_timer, c);
    c->next = server->first;
    if (c->next) {
        c->next->prev = c;
    }
    server->first = c;
    server->count++;
    if (http_io_begin(c, on_readable) != 0) {
        http_connection_close(c);
        return NULL;
    }
    http_io_deadline(c, server->conf.header_timeout);
    return c;
}

/* How long an idle connection may still wait for a request when the server drains; ms. */
static int64_t patience(const struct http_connection *c)
{
    uint64_t idle = (http_now() - c->answered_at) / 1000000;
    if (c->fresh) {
        return FRESH_DRAIN_MS;
    }
    return idle < NEXT_DRAIN_MS ? NEXT_DRAIN_MS - (int64_t)idle : 0;
}

void http_connection_drain(struct http_connection *c)
{
    int64_t wait = patience(c);
    ssize_t n;
    if (c->state != HTTP_IDLE) {
        return;
    }
    /* A request that is in the kernel already was sent before the client could know: it is answered. */
    n = http_io_read(c);
    if (n > 0) {
        http_step_run(c);
    } else if (n == -EAGAIN && c->server->role->hand_over(c)) {
        return;
    } else if (n == -EAGAIN && wait > 0) {
        http_io_deadline(c, wait);
        http_io_resume(c);
    } else {
        http_connection_close(c);
    }
}
