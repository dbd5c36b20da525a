/*
 * A connection's socket and timer. Nothing blocks; what fails is told by errno's number, or closes the connection.
 */
#include "http_connection.h"

#include <errno.h>
#include <limits.h>
#include <sys/uio.h>

#define SMALL_BODY 2048 /* bytes that cost less to copy behind the head than to name to the kernel */

void http_io_deadline(struct http_connection *c, int64_t ms)
{
    struct timeval tv;
    if (ms <= 0) {
        c->deadline = 0;
        return;
    }
    c->deadline = http_now() + (uint64_t)ms * 1000000;
    if (c->timer_at != 0 && c->timer_at <= c->deadline) {
        return;
    }
    tv.tv_sec = (time_t)(ms / 1000);
    tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
    if (event_add(&c->timer, &tv) == 0) {
        c->timer_at = c->deadline;
    }
}

/* How a socket is watched for bytes. Usually by its edges: by its level the kernel looks at each socket twice, the second time
 * to find that it has nothing more. By its level where it is read piece by piece, or has to be written, too. */
static short edges(const struct http_connection *c)
{
    bool level = (c->work && c->work->upload.open) || c->writing || c->state == HTTP_LINGER;
    return level ? 0 : EV_ET | EV_CLOSED;
}

static void watch(struct http_connection *c, short how)
{
    event_callback_fn callback = event_get_callback(&c->read);
    event_del(&c->read);
    event_assign(&c->read, c->server->base, c->fd, (short)(EV_READ | EV_PERSIST | how), callback, c);
    event_add(&c->read, NULL);
}

int http_io_begin(struct http_connection *c, event_callback_fn on_readable)
{
    event_assign(&c->read, c->server->base, c->fd, (short)(EV_READ | EV_PERSIST | edges(c)), on_readable, c);
    return event_add(&c->read, NULL);
}

void http_io_tell_again(struct http_connection *c)
{
    if (!c->paused && edges(c) != 0) {
        watch(c, edges(c));
    }
}

void http_io_pause(struct http_connection *c)
{
    /* By edges, and to read nothing when they come: a reset is told, and not again and again bytes, or an end, that nobody
     * wants now. */
    if (!c->paused) {
        c->paused = true;
        watch(c, EV_ET);
    }
}

void http_io_resume(struct http_connection *c)
{
    if (c->paused && !c->eof) {
        c->paused = false;
        watch(c, edges(c));
    }
}

void http_io_level(struct http_connection *c)
{
    if (!c->eof) {
        c->paused = false;
        watch(c, 0);
    }
}

/* Edge or level goes for the descriptor, not for the event: adding or deleting the other one has made it level, which does no
 * harm but to one that is paused. */
static void keep_paused(struct http_connection *c)
{
    if (c->paused) {
        watch(c, EV_ET);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct http_connection *c = arg;
    (void)fd;
    (void)what;
    if (c->state == HTTP_SEND) {
        http_step_run(c);
    } else {
        http_io_flush(c);
    }
}

int http_io_wait(struct http_connection *c)
{
    http_io_deadline(c, c->server->conf.send_timeout);
    if (!c->writing) {
        event_assign(&c->work->write, c->server->base, c->fd, EV_WRITE | EV_PERSIST, on_writable, c);
        if (event_add(&c->work->write, NULL) != 0) {
            http_connection_abort(c);
            return -1;
        }
        c->writing = true;
    }
    keep_paused(c); /* in any case: so the edge comes again for who waits though the socket would take more */
    return 0;
}

/* What may hold something of a connection before: the rest is set when it begins. */
static void work_init(struct http_work *work)
{
    work->x.open = false;
    work->x.in_place = false;
    work->out = work->body.data = (struct http_buffer){0};
    work->upload.open = work->stream.open = false;
    work->upload.pipe = work->stream.pipe = (struct http_pipe){0};
}

/* Space in the read buffer; 0: it is full; negative: errno. */
static ssize_t input_room(struct http_connection *c)
{
    struct http_server *server = c->server;
    struct http_input *in = c->in;
    if (in == NULL) {
        in = c->in = http_stock_get(&server->inputs);
        if (in == NULL) {
            return -ENOMEM;
        }
        c->work = &in->work;
        work_init(c->work);
        in->start = in->end = 0;
        http_parse_init(&in->parse, server->conf.large_header_size);
    }
    if (in->start > 0 && in->end == server->input_size) {
        memmove(in->bytes, in->bytes + in->start, in->end - in->start);
        in->end -= in->start;
        in->start = 0;
    }
    return (ssize_t)(server->input_size - in->end);
}

ssize_t http_io_read(struct http_connection *c)
{
    bool arriving = c->work && (c->work->upload.open || (c->state == HTTP_BODY && !c->work->x.in_place));
    bool direct = arriving && !c->work->body.is_chunked;
    size_t room = 0;
    char *to;
    ssize_t n;
    if (direct) {
        to = http_body_room(&c->work->body, &c->server->buffers, &room);
        if (to == NULL) {
            return -ENOMEM;
        }
    } else {
        n = input_room(c);
        if (n <= 0) {
            return n < 0 ? n : -ENOBUFS;
        }
        room = (size_t)n;
        to = c->in->bytes + c->in->end;
    }
    n = recv(c->fd, to, room, 0);
    if (n < 0) {
        return errno == EINTR ? -EAGAIN : -errno;
    }
    if (direct) {
        http_body_arrived(&c->work->body, (size_t)n);
    } else {
        c->in->end += (uint32_t)n;
    }
    if ((size_t)n == room) {
        http_io_tell_again(c);
    }
    return n;
}

static int written(struct http_connection *c)
{
    c->work->out.start = c->work->out.end = 0;
    if (c->writing) {
        event_del(&c->work->write);
        c->writing = false;
        keep_paused(c);
    }
    return 1;
}

int http_io_flush(struct http_connection *c)
{
    int flags = MSG_NOSIGNAL | (c->work->stream.pipe.held > 0 ? MSG_MORE : 0);
    while (http_buffer_len(&c->work->out) > 0) {
        ssize_t n =
            send(c->fd, c->work->out.data + c->work->out.start, http_buffer_len(&c->work->out), flags);
        if (n >= 0) {
            c->work->out.start += (size_t)n;
        } else if (errno == EAGAIN) {
            return http_io_wait(c);
        } else if (errno != EINTR) {
            http_connection_abort(c);
            return -1;
        }
    }
    return written(c);
}

/* Head and body by one call, the body from where it is. */
static int send_parts(struct http_connection *c, lpm_slice body)
{
    size_t head = http_buffer_len(&c->work->out), sent;
    struct iovec parts[2] = {{c->work->out.data + c->work->out.start, head},
                             {(char *)(uintptr_t)body.data, body.len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = body.len > 0 ? 2 : 1};
    /* Behind bytes that the socket did not take, nothing is tried: their order is kept by the buffer. */
    ssize_t n = c->writing ? -1 : sendmsg(c->fd, &message, MSG_NOSIGNAL);
    if (n < 0 && !c->writing && errno != EAGAIN && errno != EINTR) {
        http_connection_abort(c);
        return -1;
    }
    sent = n > 0 ? (size_t)n : 0;
    c->work->out.start += sent < head ? sent : head;
    sent -= sent < head ? sent : head;
    if (http_buffer_add(&c->work->out, &c->server->buffers, body.data + sent, body.len - sent) != 0) {
        http_connection_abort(c);
        return -1;
    }
    if (http_buffer_len(&c->work->out) == 0) {
        return written(c);
    }
    return http_io_wait(c);
}

int http_io_send(struct http_connection *c, lpm_slice body)
{
    if (body.len > SMALL_BODY) {
        return send_parts(c, body);
    }
    if (http_buffer_add(&c->work->out, &c->server->buffers, body.data, body.len) != 0) {
        http_connection_abort(c);
        return -1;
    }
    return http_io_flush(c);
}
