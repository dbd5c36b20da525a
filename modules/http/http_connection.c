/*
 * One client's connection: its states. Runs in the bus, within callbacks of its loop; a fault of the client or of the
 * system ends this connection and harms no other.
 */
#include "http_connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define FRESH_DRAIN_MS 2000 /* at a soft kill, for the first request of a connection that was just taken in */
#define LINGER_IDLE_MS 5000
#define LINGER_MS      10000
#define LINGER_BYTES   ((size_t)16 << 20)

static const char early_end[] = "the request ended early";

/* -- Life --------------------------------------------------------------------------------------------- */

static void release_memory(struct http_connection *c)
{
    http_stock_put(&c->server->inputs, c->in);
    c->in = NULL;
    http_buffer_release(&c->out, &c->server->buffers);
    http_buffer_release(&c->body.data, &c->server->buffers);
}

void http_connection_close(struct http_connection *c)
{
    struct http_server *server = c->server;
    if (c->state == HTTP_WAIT) {
        lpm_supervisor_cancel(server->s, c->x.ticket);
    }
    event_del(&c->read);
    event_del(&c->write);
    event_del(&c->timer);
    close(c->fd);
    release_memory(c);
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
    if (c->state != HTTP_SEND) {
        c->x.status = 499; /* nginx's: the client was gone before there was an answer */
    }
    http_exchange_log(c);
    http_connection_close(c);
}

/* Bytes behind the present request's. */
static bool has_more(const struct http_connection *c)
{
    return c->in && c->in->end - c->in->start > c->x.length;
}

/* The client may still be writing: to close now could destroy the answer before it has read it. */
static void linger(struct http_connection *c)
{
    shutdown(c->fd, SHUT_WR);
    release_memory(c);
    c->state = HTTP_LINGER;
    c->linger_end = http_now() + (uint64_t)LINGER_MS * 1000000;
    http_io_deadline(c, LINGER_IDLE_MS);
    http_io_resume(c);
}

static void end(struct http_connection *c)
{
    if (c->eof || (c->x.received && !has_more(c))) {
        http_connection_close(c);
    } else {
        linger(c);
    }
}

/* -- Steps: each returns true when the next one can be tried at once, false when there is nothing to do but to wait,
 *    or when the connection is gone. ------------------------------------------------------------------- */

static bool refuse(struct http_connection *c, int status, const char *why)
{
    c->x.open = true;
    http_exchange_refuse(c, status, why, 0);
    return true;
}

static bool step_idle(struct http_connection *c)
{
    const struct http_conf *conf = &c->server->conf;
    if (c->in && c->in->end > c->in->start) {
        http_parse_init(&c->in->parse, conf->large_header_size);
        memset(&c->x, 0, sizeof(c->x));
        c->state = HTTP_HEAD;
        http_io_deadline(c, conf->header_timeout);
        http_io_resume(c);
        return true;
    }
    if (c->eof || (c->server->draining && !c->fresh)) {
        http_connection_close(c);
        return false;
    }
    release_memory(c);
    http_io_deadline(c, c->fresh ? conf->header_timeout : conf->keepalive_timeout);
    http_io_resume(c);
    return false;
}

/* The head is whole and allowed: the body is next, if only to find that there is none. */
static bool begin_body(struct http_connection *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct http_parse *parse = &c->in->parse;
    c->state = HTTP_BODY;
    if (!c->x.in_place) {
        http_body_begin(&c->body, parse->head.has_coding, parse->head.content_length,
                        c->x.location->max_body_size);
    }
    /* Not for a client that did not wait for it. */
    if (!parse->head.expect_continue || c->x.received || c->in->end - c->in->start > parse->pos) {
        return true;
    }
    if (http_buffer_add(&c->out, &c->server->buffers, go_on, sizeof(go_on) - 1)) {
        http_connection_abort(c);
        return false;
    }
    return http_io_flush(c) >= 0;
}

static bool step_head(struct http_connection *c)
{
    struct http_input *in = c->in;
    const char *why;
    int status = http_parse_head(&in->parse, in->bytes + in->start, in->end - in->start);
    if (status == HTTP_PARSE_MORE) {
        if (!c->eof) {
            return false;
        }
        if (http_parse_begun(&in->parse, in->end - in->start)) {
            return refuse(c, 400, early_end);
        }
        http_connection_close(c);
        return false;
    }
    c->fresh = false;
    c->requests++;
    c->x.open = true;
    if (status != HTTP_PARSE_DONE) {
        return refuse(c, status, in->parse.why);
    }
    status = http_request_route(c, &why);
    return status ? refuse(c, status, why) : begin_body(c);
}

static bool submit(struct http_connection *c, lpm_slice body)
{
    int rc;
    c->x.received = true;
    rc = http_request_enqueue(c, body, http_exchange_answer);
    http_buffer_release(&c->body.data, &c->server->buffers);
    if (rc) {
        http_exchange_fail(c, rc);
        return true;
    }
    c->state = HTTP_WAIT;
    http_io_deadline(c, 0);
    return false;
}

/* Takes what the read buffer holds of a body that does not stay there; what is behind it moves up to the head. */
static int take_body(struct http_connection *c)
{
    struct http_input *in = c->in;
    char *from = in->bytes + in->start + c->x.length;
    size_t len = in->end - in->start - c->x.length, used = 0;
    int status;
    if (len == 0) {
        return !c->body.is_chunked && c->body.left == 0 ? HTTP_BODY_DONE : HTTP_BODY_MORE;
    }
    status = http_body_feed(&c->body, &c->server->buffers, from, len, &used);
    memmove(from, from + used, len - used);
    in->end -= (uint32_t)used;
    return status;
}

static bool step_body(struct http_connection *c)
{
    struct http_input *in = c->in;
    lpm_slice body = {in->bytes + in->start + in->parse.pos, c->x.length - in->parse.pos};
    int status = HTTP_BODY_DONE;
    if (!c->x.in_place) {
        status = take_body(c);
        body.data = c->body.data.data ? c->body.data.data : "";
        body.len = http_buffer_len(&c->body.data);
    } else if (in->end - in->start < c->x.length) {
        status = HTTP_BODY_MORE;
    }
    if (status == HTTP_BODY_DONE) {
        return submit(c, body);
    }
    if (status != HTTP_BODY_MORE) {
        return refuse(c, status, c->body.why);
    }
    if (c->eof) {
        return refuse(c, 400, early_end);
    }
    http_io_deadline(c, c->server->conf.body_timeout);
    return false;
}

static bool step_send(struct http_connection *c)
{
    if (http_io_flush(c) <= 0) {
        return false;
    }
    http_exchange_log(c);
    c->x.open = false;
    if (!c->x.keep_alive) {
        end(c);
        return false;
    }
    if (c->out.size > HTTP_BUFFER_SIZE) {
        http_buffer_release(&c->out, &c->server->buffers);
    }
    c->in->start += c->x.length;
    if (c->in->start == c->in->end) {
        c->in->start = c->in->end = 0;
    }
    c->state = HTTP_IDLE;
    return true;
}

void http_connection_run(struct http_connection *c)
{
    bool more = true;
    while (more) {
        switch (c->state) {
        case HTTP_IDLE:
            more = step_idle(c);
            break;
        case HTTP_HEAD:
            more = step_head(c);
            break;
        case HTTP_BODY:
            more = step_body(c);
            break;
        case HTTP_SEND:
            more = step_send(c);
            break;
        default:
            more = false;
        }
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
    c->lingered += n > 0 ? (size_t)n : 0;
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
    if (poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP))) {
        http_connection_abort(c);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct http_connection *c = arg;
    ssize_t n;
    (void)fd;
    (void)what;
    if (c->paused) {
        look_for_reset(c);
        return;
    }
    if (c->state == HTTP_LINGER) {
        drop_input(c);
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
    if (n == 0) {
        c->eof = true;
        http_io_pause(c);
    }
    if (c->state < HTTP_WAIT) {
        http_connection_run(c);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct http_connection *c = arg;
    (void)fd;
    (void)what;
    if (c->state == HTTP_SEND) {
        http_connection_run(c);
    } else {
        http_io_flush(c);
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
        refuse(c, 408, "the header did not arrive in time");
        http_connection_run(c);
        break;
    case HTTP_BODY:
        refuse(c, 408, "the body did not arrive in time");
        http_connection_run(c);
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

void http_connection_new(struct http_server *server, int fd, const struct sockaddr *peer)
{
    struct http_connection *c = http_stock_get(&server->connections);
    const int on = 1;
    if (c == NULL) {
        close(fd);
        return;
    }
    memset(c, 0, sizeof(*c));
    c->server = server;
    c->fd = fd;
    c->fresh = true;
    describe_peer(c, peer);
    if (peer->sa_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    event_assign(&c->read, server->base, fd, EV_READ | EV_PERSIST, on_readable, c);
    event_assign(&c->write, server->base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
    event_assign(&c->timer, server->base, -1, 0, on_timer, c);
    c->next = server->first;
    if (c->next) {
        c->next->prev = c;
    }
    server->first = c;
    server->count++;
    if (event_add(&c->read, NULL) != 0) {
        http_connection_close(c);
        return;
    }
    http_io_deadline(c, server->conf.header_timeout);
}

void http_connection_drain(struct http_connection *c)
{
    ssize_t n;
    if (c->state != HTTP_IDLE) {
        return;
    }
    /* A request that is in the kernel already was sent before the client could know: it is answered. */
    n = http_io_read(c);
    if (n > 0) {
        http_connection_run(c);
    } else if (n == -EAGAIN && c->fresh) {
        http_io_deadline(c, FRESH_DRAIN_MS);
    } else {
        http_connection_close(c);
    }
}
