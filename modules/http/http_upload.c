/*
 * The streamed part of a request. Runs in the bus, on the writer's end of a stream that a worker reads. The kernel's buffers
 * are the flow control: nothing is read from the client while the stream is full. A body that does not come whole ends in
 * ECONNRESET at the handler, never in what looks like its end; a handler that does not want the rest closes the stream, and
 * the client is not read any more until it has its answer.
 */
#include "http_upload.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_connection.h"

#define PIECE  262144u /* spliced at once */
#define LARGE  65536u  /* a piece from which on splicing is worth it */
#define FILES  2u      /* both ends of a stream, until a worker has the other one */
#define PIECES 16      /* in one turn of the loop, so that others get theirs */

/* After a step: on at once; client or handler is waited for; it is over, or the connection is gone. */
enum upload { UPLOAD_MORE, UPLOAD_WAIT, UPLOAD_OVER };

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    http_upload_run(arg);
}

/* All but the stream's descriptor. */
static void release(struct http_connection *c)
{
    struct http_upload *up = &c->work->upload;

    event_del(&up->writable);
    event_del(&up->timer);
    http_pipe_return(&c->server->pipes, &up->pipe);
    http_buffer_release(&c->work->body.data, &c->server->buffers);
    up->open = false;
    http_server_stream_closed(c->server, FILES);
}

void http_upload_close(struct http_connection *c)
{
    if (c->work->upload.open) {
        release(c);
        close(c->work->upload.fd);
    }
}

/* The rest of the body goes nowhere: what the client still sends waits until it has its answer. */
static enum upload drop(struct http_connection *c)
{
    http_upload_close(c);
    http_io_pause(c);
    if (c->state == HTTP_TAIL) {
        http_step_run(c);
    }
    return UPLOAD_OVER;
}

/* The client does not keep to what it began. An answer that is on its way goes on. */
static enum upload refuse(struct http_connection *c, int status, const char *why)
{
    if (c->state != HTTP_WAIT) {
        return drop(c);
    }
    http_upload_close(c);
    http_io_pause(c);
    c->server->role->cancel(c->server, c->work->x.ticket);
    http_exchange_refuse(c, status, why, 0);
    http_step_run(c);
    return UPLOAD_OVER;
}

static void set_timer(struct http_connection *c)
{
    int64_t ms = c->server->conf.body_timeout;
    struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

    event_add(&c->work->upload.timer, &tv);
}

/* How long the handler may take is the request's time limit, until it has answered. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct http_connection *c = arg;

    (void)fd;
    (void)what;
    if (!c->work->upload.stuck) {
        refuse(c, 408, "the body did not arrive in time");
    } else if (c->state == HTTP_TAIL) {
        drop(c);
    } else {
        set_timer(c);
    }
}

static ssize_t give_piece(struct http_connection *c)
{
    struct http_buffer *data = &c->work->body.data;
    ssize_t n;

    if (c->work->upload.pipe.held > 0) {
        return http_pipe_drain(&c->work->upload.pipe, c->work->upload.fd);
    }
    n = send(c->work->upload.fd, data->data + data->start, http_buffer_len(data), MSG_NOSIGNAL);
    data->start += n > 0 ? (size_t)n : 0;
    return n;
}

/* Gives the stream what is here: 1: all; 0: it takes no more now; -1: nobody reads it. */
static int give(struct http_connection *c)
{
    while (http_buffer_len(&c->work->body.data) > 0 || c->work->upload.pipe.held > 0) {
        if (give_piece(c) < 0 && errno != EINTR) {
            return errno == EAGAIN ? 0 : -1;
        }
    }
    c->work->body.data.start = c->work->body.data.end = 0;
    return 1;
}

/* All has gone: the clean end. */
static enum upload finish(struct http_connection *c)
{
    release(c);
    lpm_stream_end(c->server->owner, c->work->upload.fd);
    c->work->x.received = true;
    http_io_resume(c);
    if (c->state == HTTP_TAIL) {
        http_step_run(c);
    }
    return UPLOAD_OVER;
}

/* The client sent nothing: `error` of errno, 0 for its end. */
static enum upload nothing(struct http_connection *c, int error)
{
    if (error == EAGAIN) {
        http_pipe_return(&c->server->pipes, &c->work->upload.pipe);
        http_buffer_release(&c->work->body.data, &c->server->buffers);
        http_io_resume(c);
        set_timer(c);
        return UPLOAD_WAIT;
    }
    if (error == 0) {
        c->eof = true;
        return refuse(c, 400, "the request ended early");
    }
    http_connection_abort(c);
    return UPLOAD_OVER;
}

static enum upload fill_pipe(struct http_connection *c)
{
    struct http_upload *up = &c->work->upload;
    ssize_t n =
        http_pipe_fill(&up->pipe, c->fd, c->work->body.left < PIECE ? (size_t)c->work->body.left : PIECE);

    if (n < 0 && errno == EINVAL) {
        up->copies = true;
        return UPLOAD_MORE;
    }
    if (n <= 0) {
        return nothing(c, n < 0 ? errno : 0);
    }
    up->large = n >= LARGE / 4;
    up->whole = http_body_passed(&c->work->body, (size_t)n) == HTTP_BODY_DONE;
    return UPLOAD_MORE;
}

/* All that was here has gone: more of it, from the read buffer or the client. */
static enum upload take(struct http_connection *c)
{
    struct http_upload *up = &c->work->upload;
    int status = http_step_take_body(c);
    ssize_t n;

    if (status != HTTP_BODY_MORE && status != HTTP_BODY_DONE) {
        return refuse(c, status, c->work->body.why);
    }
    up->whole = status == HTTP_BODY_DONE;
    if (up->whole || http_buffer_len(&c->work->body.data) > 0) {
        return UPLOAD_MORE;
    }
    if (up->large && !up->copies && http_pipe_lend(&c->server->pipes, &up->pipe)) {
        return fill_pipe(c);
    }
    n = http_io_read(c);
    if (n <= 0) {
        return nothing(c, (int)-n);
    }
    up->large = n >= LARGE;
    return UPLOAD_MORE;
}

static enum upload step(struct http_connection *c)
{
    struct http_upload *up = &c->work->upload;
    int given = give(c);

    up->stuck = given == 0;
    if (given < 0) {
        return drop(c);
    }
    if (up->stuck) {
        http_io_pause(c);
        event_add(&up->writable, NULL);
        set_timer(c);
        return UPLOAD_WAIT;
    }
    return up->whole ? finish(c) : take(c);
}

void http_upload_run(struct http_connection *c)
{
    enum upload rc = UPLOAD_MORE;

    for (int i = 0; i < PIECES && rc == UPLOAD_MORE; i++) {
        rc = step(c);
    }
    if (rc == UPLOAD_MORE) {
        event_add(&c->work->upload.writable, NULL); /* to come back after the others */
        set_timer(c);
    }
}

/* The other end of the stream is closed. */
static bool is_unread(const struct http_connection *c)
{
    struct pollfd p = {.fd = c->work->upload.fd, .events = 0};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

void http_upload_answered(struct http_connection *c, int error)
{
    if (c->work->upload.open && (error != 0 || is_unread(c))) {
        http_upload_close(c);
        http_io_pause(c);
    }
}

int http_upload_begin(struct http_connection *c)
{
    struct http_upload *up = &c->work->upload;
    int fds[2];
    int rc = http_server_has_files(c->server, FILES) ? lpm_stream_pair(c->server->owner, fds) : LPM_EFULL;

    if (rc) {
        return rc;
    }
    rc = http_request_enqueue(c, lpm_slice_of(""), fds[0], http_exchange_answer);
    if (rc) {
        close(fds[0]);
        close(fds[1]);
        return rc;
    }
    *up = (struct http_upload){.open = true, .copies = c->work->body.is_chunked, .fd = fds[1]};
    http_server_stream_opened(c->server, FILES);
    event_assign(&up->writable, c->server->base, up->fd, EV_WRITE, on_writable, c);
    event_assign(&up->timer, c->server->base, -1, 0, on_timer, c);
    http_io_level(c);
    return 0;
}
