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

#define PIECE        262144u /* moved at once */
#define SMALL_PIECE  (HTTP_BUFFER_SIZE - 2 * CHUNK_ROOM)
#define PIECES       16 /* in one turn of the loop, so that others get theirs */
#define STREAM_FILES 1u
#define CHUNK_ROOM   16u /* "fffff\r\n" before and "\r\n" behind a piece */

/* After a piece: on at once; the stream or the client is waited for, or the connection is gone; all is in c->work->out. */
enum pump { PUMP_MORE, PUMP_WAIT, PUMP_END };

static const char last_chunk[] = "0\r\n\r\n";

/* As read(), without ever waiting. */
static ssize_t read_now(int fd, char *to, size_t room)
{
    struct iovec part = {to, room};
    ssize_t n = recv(fd, to, room, MSG_DONTWAIT);

    if (n < 0 && errno == ENOTSOCK) {
        n = preadv2(fd, &part, 1, -1, RWF_NOWAIT);
        if (n < 0 && errno == EOPNOTSUPP) {
            n = read(fd, to, room); /* a pipe, which is non-blocking and in the bus its own opening */
        }
    }
    return n;
}

/* The client sees that it did not get all. */
static void reset(struct http_connection *c, const char *why)
{
    const struct linger at_once = {1, 0};

    lpm_log(c->server->owner, LPM_LOG_WARN, "request %s: %s: the connection is reset", c->work->x.id, why);
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    http_connection_abort(c);
}

static void on_stream(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    http_step_run(arg);
}

/* The kernel honours SPLICE_F_NONBLOCK for a pipe and a unix stream; for other sockets it asks their own flag, which the worker
 * can change. */
static bool splices_without_waiting(int fd)
{
    int domain = AF_UNIX, type = SOCK_STREAM;
    socklen_t len = sizeof(int);

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0) {
        return errno == ENOTSOCK;
    }
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && domain == AF_UNIX && type == SOCK_STREAM;
}

/* Nor is a close() to wait, because the worker has told the socket so. */
static void do_not_linger(int fd)
{
    const struct linger off = {0, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
}

void http_stream_close(struct http_connection *c)
{
    if (c->work->stream.open) {
        event_del(&c->work->stream.readable);
        do_not_linger(c->work->stream.fd);
        close(c->work->stream.fd);
        http_pipe_return(&c->server->pipes, &c->work->stream.pipe);
        c->work->stream.open = false;
        http_server_stream_closed(c->server, STREAM_FILES);
    }
}

/* Is there room for `n` more in what was announced? Counts them. */
static bool count(struct http_connection *c, size_t n)
{
    if (c->work->stream.framing == HTTP_MEASURED && n > c->work->stream.left) {
        reset(c, "the stream is longer than its handler announced");
        return false;
    }
    c->work->stream.left -= c->work->stream.framing == HTTP_MEASURED ? n : 0;
    c->work->x.body_len += n;
    return true;
}

/* Puts the `n` bytes at `piece` behind what c->work->out holds; there is CHUNK_ROOM around them. */
static void frame_piece(struct http_connection *c, char *piece, size_t n)
{
    char size[CHUNK_ROOM];
    int len = 0;

    if (c->work->stream.framing == HTTP_CHUNKED) {
        len = snprintf(size, sizeof(size), "%zx\r\n", n);
        memcpy(piece - len, size, (size_t)len);
        memcpy(piece + n, "\r\n", 2);
        n += 2;
    }
    c->work->out.start = (size_t)(piece - len - c->work->out.data);
    c->work->out.end = (size_t)(piece - c->work->out.data) + n;
}

int http_stream_begin(struct http_connection *c, int fd, enum http_framing framing, uint64_t length,
                      lpm_slice data)
{
    struct http_stream *stream = &c->work->stream;
    char size[CHUNK_ROOM];
    int len = framing == HTTP_CHUNKED && data.len > 0 ? snprintf(size, sizeof(size), "%zx\r\n", data.len) : 0;
    int rc = fd < 0                                            ? LPM_EIO
             : framing == HTTP_MEASURED && data.len > length   ? LPM_ETOOBIG
             : !http_server_has_files(c->server, STREAM_FILES) ? LPM_EFULL
                                                               : 0;

    if (rc == 0 && data.len > 0 &&
        (http_buffer_add(&c->work->out, &c->server->buffers, size, (size_t)len) != 0 ||
         http_buffer_add(&c->work->out, &c->server->buffers, data.data, data.len) != 0 ||
         http_buffer_add(&c->work->out, &c->server->buffers, "\r\n", len > 0 ? 2 : 0) != 0)) {
        rc = LPM_ENOMEM;
    }
    if (rc != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    c->work->x.body_len = data.len;
    stream->fd = fd;
    stream->framing = framing;
    stream->left = length - (framing == HTTP_MEASURED ? data.len : 0);
    stream->large = false;
    stream->copies = !splices_without_waiting(fd);
    stream->open = true;
    http_server_stream_opened(c->server, STREAM_FILES);
    event_assign(&stream->readable, c->server->base, fd, EV_READ, on_stream, c);
    return 0;
}

/* Appends to c->work->out: false: no memory, and the connection is gone. */
static bool add(struct http_connection *c, const char *text, size_t len)
{
    if (http_buffer_add(&c->work->out, &c->server->buffers, text, len) != 0) {
        reset(c, "out of memory");
        return false;
    }
    return true;
}

/* The clean end of the stream. */
static enum pump finish(struct http_connection *c)
{
    if (c->work->stream.framing == HTTP_MEASURED && c->work->stream.left > 0) {
        reset(c, "the stream ended before the length that its handler announced");
        return PUMP_WAIT;
    }
    http_stream_close(c);
    return c->work->stream.framing == HTTP_CHUNKED && !add(c, last_chunk, sizeof(last_chunk) - 1) ? PUMP_WAIT
                                                                                                  : PUMP_END;
}

/* No bytes came: why? */
static enum pump nothing(struct http_connection *c, ssize_t n)
{
    if (n == 0) {
        return finish(c);
    }
    if (errno != EAGAIN && errno != EINTR) {
        reset(c, "the stream was aborted by its handler, or its worker died");
        return PUMP_WAIT;
    }
    http_pipe_return(&c->server->pipes, &c->work->stream.pipe);
    if (http_io_flush(c) > 0) {
        http_buffer_release(&c->work->out, &c->server->buffers);
        http_io_deadline(c, 0); /* it is the worker's turn */
        event_add(&c->work->stream.readable, NULL);
    }
    return PUMP_WAIT;
}

/* A piece by way of a buffer. */
static enum pump copy_piece(struct http_connection *c)
{
    size_t room = c->work->stream.large ? PIECE : SMALL_PIECE;
    char *to;
    ssize_t n;

    if (http_io_flush(c) <= 0) {
        return PUMP_WAIT;
    }
    to = http_buffer_reserve(&c->work->out, &c->server->buffers, room + 2 * CHUNK_ROOM);
    if (to == NULL) {
        reset(c, "out of memory");
        return PUMP_WAIT;
    }
    n = read_now(c->work->stream.fd, to + CHUNK_ROOM, room);
    if (n <= 0) {
        return nothing(c, n);
    }
    if (!count(c, (size_t)n)) {
        return PUMP_WAIT;
    }
    c->work->stream.large = (size_t)n == room;
    frame_piece(c, to + CHUNK_ROOM, (size_t)n);
    return http_io_flush(c) > 0 ? PUMP_MORE : PUMP_WAIT;
}

/* A piece into the pipe, and what goes before it to the client. */
static enum pump fill_piece(struct http_connection *c)
{
    struct http_stream *stream = &c->work->stream;
    ssize_t n = http_pipe_fill(&stream->pipe, stream->fd, PIECE);
    char size[CHUNK_ROOM];

    if (n < 0 && errno == EINVAL) {
        stream->copies = true;
        return PUMP_MORE;
    }
    if (n <= 0) {
        return nothing(c, n);
    }
    stream->large = (size_t)n >= SMALL_PIECE;
    if (!count(c, (size_t)n)) {
        return PUMP_WAIT;
    }
    if (stream->framing == HTTP_CHUNKED &&
        !add(c, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", (size_t)n))) {
        return PUMP_WAIT;
    }
    return http_io_flush(c) > 0 ? PUMP_MORE : PUMP_WAIT;
}

/* What the pipe holds, to the client. What ends the chunk goes out with what follows. */
static enum pump drain_piece(struct http_connection *c)
{
    ssize_t n = http_pipe_drain(&c->work->stream.pipe, c->fd);

    if (n < 0 && errno == EAGAIN) {
        http_io_wait(c);
        return PUMP_WAIT;
    }
    if (n < 0) {
        http_connection_abort(c);
        return PUMP_WAIT;
    }
    if (c->work->stream.pipe.held == 0 && c->work->stream.framing == HTTP_CHUNKED && !add(c, "\r\n", 2)) {
        return PUMP_WAIT;
    }
    return PUMP_MORE;
}

bool http_stream_pump(struct http_connection *c)
{
    struct http_stream *stream = &c->work->stream;
    enum pump rc = PUMP_MORE;

    for (int i = 0; i < PIECES && rc == PUMP_MORE; i++) {
        if (stream->pipe.held > 0) {
            rc = drain_piece(c);
        } else if (stream->large && !stream->copies && http_pipe_lend(&c->server->pipes, &stream->pipe)) {
            rc = fill_piece(c);
        } else {
            rc = copy_piece(c);
        }
    }
    if (rc == PUMP_MORE) {
        http_io_wait(c); /* the client takes more, so that this comes back after the others */
    }
    return rc == PUMP_END;
}
