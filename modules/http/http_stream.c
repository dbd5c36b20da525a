/*
 * The streamed part of an answer. Runs in the bus, on a descriptor that a worker has the other end of, and may have set to
 * block: every read says that it must not. The kernel's buffers are the flow control: nothing is read while the client's
 * socket is full. A stream that does not end cleanly ends in a reset, never in what looks like a whole answer.
 */
#include "http_stream.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "http_connection.h"

#define PIECE      65536u /* read at once */
#define PIECES     16     /* in one turn of the loop, so that others get theirs */
#define CHUNK_ROOM 16u    /* "fffff\r\n" before and "\r\n" behind a piece */

static const char last_chunk[] = "0\r\n\r\n";

/* As read(), without ever waiting. */
static ssize_t read_now(int fd, char *to, size_t room)
{
    struct iovec part = {to, room};
    ssize_t n = recv(fd, to, room, MSG_DONTWAIT);

    if (n < 0 && errno == ENOTSOCK) {
        n = preadv2(fd, &part, 1, -1, RWF_NOWAIT);
    }
    return n;
}

/* The client sees that it did not get all. */
static void reset(struct http_connection *c, const char *why)
{
    const struct linger at_once = {1, 0};

    lpm_log(c->server->s, LPM_LOG_WARN, "request %s: %s: the connection is reset", c->x.id, why);
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    http_connection_abort(c);
}

static void on_stream(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    http_step_run(arg);
}

void http_stream_close(struct http_connection *c)
{
    if (c->stream.open) {
        event_del(&c->stream.readable);
        close(c->stream.fd);
        c->stream.open = false;
    }
}

/* Puts the `n` bytes at `piece` behind what c->out holds; there is CHUNK_ROOM around them. */
static void frame_piece(struct http_connection *c, char *piece, size_t n)
{
    char size[CHUNK_ROOM];
    int len = 0;

    c->x.body_len += n;
    if (c->stream.framing == HTTP_CHUNKED) {
        len = snprintf(size, sizeof(size), "%zx\r\n", n);
        memcpy(piece - len, size, (size_t)len);
        memcpy(piece + n, "\r\n", 2);
        n += 2;
    }
    c->out.start = (size_t)(piece - len - c->out.data);
    c->out.end = (size_t)(piece - c->out.data) + n;
}

int http_stream_begin(struct http_connection *c, int fd, enum http_framing framing, uint64_t length,
                      lpm_slice data)
{
    struct http_stream *stream = &c->stream;
    char size[CHUNK_ROOM];
    int len = framing == HTTP_CHUNKED && data.len > 0 ? snprintf(size, sizeof(size), "%zx\r\n", data.len) : 0;
    int rc = framing == HTTP_MEASURED && data.len > length ? LPM_ETOOBIG : 0;

    if (rc == 0 && data.len > 0 &&
        (http_buffer_add(&c->out, &c->server->buffers, size, (size_t)len) != 0 ||
         http_buffer_add(&c->out, &c->server->buffers, data.data, data.len) != 0 ||
         http_buffer_add(&c->out, &c->server->buffers, "\r\n", len > 0 ? 2 : 0) != 0)) {
        rc = LPM_ENOMEM;
    }
    if (rc != 0) {
        close(fd);
        return rc;
    }
    c->x.body_len = data.len;
    stream->fd = fd;
    stream->framing = framing;
    stream->left = length - (framing == HTTP_MEASURED ? data.len : 0);
    stream->open = true;
    event_assign(&stream->readable, c->server->base, fd, EV_READ, on_stream, c);
    return 0;
}

/* The clean end of the stream. */
static bool finish(struct http_connection *c)
{
    if (c->stream.framing == HTTP_MEASURED && c->stream.left > 0) {
        reset(c, "the stream ended before the length that its handler announced");
        return false;
    }
    http_stream_close(c);
    if (c->stream.framing == HTTP_CHUNKED &&
        http_buffer_add(&c->out, &c->server->buffers, last_chunk, sizeof(last_chunk) - 1) != 0) {
        reset(c, "out of memory");
        return false;
    }
    return true;
}

/* One piece, from the stream to the client's socket: 1: more may follow; 0: it waits or the connection is gone; 2: the
 * end. */
static int pump_piece(struct http_connection *c)
{
    struct http_stream *stream = &c->stream;
    char *room = http_buffer_reserve(&c->out, &c->server->buffers, PIECE + 2 * CHUNK_ROOM);
    ssize_t n;

    if (room == NULL) {
        reset(c, "out of memory");
        return 0;
    }
    n = read_now(stream->fd, room + CHUNK_ROOM, PIECE);
    if (n == 0) {
        return finish(c) ? 2 : 0;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        http_io_deadline(c, 0); /* it is the worker's turn */
        event_add(&stream->readable, NULL);
        return 0;
    }
    if (n < 0) {
        reset(c, "the stream was aborted by its handler, or its worker died");
        return 0;
    }
    if (stream->framing == HTTP_MEASURED && (uint64_t)n > stream->left) {
        reset(c, "the stream is longer than its handler announced");
        return 0;
    }
    stream->left -= stream->framing == HTTP_MEASURED ? (uint64_t)n : 0;
    frame_piece(c, room + CHUNK_ROOM, (size_t)n);
    return http_io_flush(c) > 0;
}

bool http_stream_pump(struct http_connection *c)
{
    for (int i = 0; i < PIECES; i++) {
        int rc = pump_piece(c);
        if (rc != 1) {
            return rc == 2;
        }
    }
    event_active(&c->stream.readable, EV_READ, 0);
    return false;
}
