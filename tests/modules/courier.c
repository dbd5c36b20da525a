/*
 * Both ends of streams, for tests/system/test_stream.c. A request to the handler `courier` whose data is an order is passed
 * to its other side, in the bus, as an event; that enqueues a request of its own and tells the log what became of it,
 * "courier: ORDER: ...":
 *
 *     file PATH        passes the file as a stream; the worker answers with what it has read
 *     pipe             the same with a pipe, into which "through a pipe" is written
 *     broadcast        passes a pipe to every worker with the event "parcel"; the first that reads tells what was in it
 *     untaken          passes a stream that the worker does not take
 *     reader-dies      the worker takes the stream, and dies
 *     writer-dies N    the worker answers with a stream, writes N bytes, and dies
 *     refuse-file      the worker tries to answer with a file as its stream
 *     answer-pipe      the worker answers with a pipe
 *     late             the enqueuer cancels, and then the worker answers with a stream
 *     twice            the worker takes the stream twice, and asks for one that did not come
 */
#define LPM_NEEDS 1
#include <lpm/module.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ORDER_SIZE 256

static void text_of(lpm_slice data, char *room, size_t size)
{
    size_t len = data.len < size - 1 ? data.len : size - 1;
    memcpy(room, data.data, len);
    room[len] = '\0';
}

static int begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static long number_in(const char *order)
{
    const char *blank = strchr(order, ' ');
    return blank ? strtol(blank, NULL, 10) : 0;
}

/* -- The worker's side -------------------------------------------------------------------------------- */

static void respond_two(lpm_request *req, int a, int b)
{
    char text[64];
    snprintf(text, sizeof(text), "%d %d", a, b);
    lpm_respond(req, text, strlen(text));
}

/* All of what is there already. */
static void answer_with_contents(lpm_request *req)
{
    int fd = lpm_request_stream(req);
    char room[1024];
    ssize_t n = read(fd, room, sizeof(room));

    close(fd);
    lpm_respond(req, room, n > 0 ? (size_t)n : 0);
}

/* The bus reads at the same time. */
static void write_all(int fd, long size)
{
    static char bytes[65536];

    fcntl(fd, F_SETFL, 0);
    while (size > 0) {
        ssize_t n = write(fd, bytes, (size_t)size < sizeof(bytes) ? (size_t)size : sizeof(bytes));
        size = n > 0 ? size - n : 0;
    }
}

static void die_writing(lpm_request *req, long size)
{
    int fds[2];

    lpm_stream_pair(req, fds);
    lpm_respond_stream(req, "", 0, fds[0]);
    write_all(fds[1], size);
    raise(SIGKILL);
}

static void answer_pipe(lpm_request *req)
{
    int fds[2];

    if (pipe(fds) != 0 || write(fds[1], "piped", 5) != 5) {
        return;
    }
    close(fds[1]);
    if (lpm_respond_stream(req, "", 0, fds[0]) != 0) {
        respond_two(req, errno, 0);
    }
}

static void refuse_file(lpm_request *req)
{
    int fd = open("/proc/self/exe", O_RDONLY), rc = lpm_respond_stream(req, "", 0, fd);

    respond_two(req, rc, close(fd));
}

static void on_cancel(lpm_request *req, void *arg)
{
    lpm_worker *w = arg;
    int fds[2], rc;

    lpm_stream_pair(w, fds);
    rc = lpm_respond_stream(req, "", 0, fds[0]);
    lpm_log(w, LPM_LOG_NOTICE, "late: %d, %s", rc,
            send(fds[1], "x", 1, MSG_NOSIGNAL) < 0 ? strerror(errno) : "sent");
    close(fds[1]);
}

static void run(lpm_request *req, const char *order)
{
    if (begins(order, "file") || begins(order, "pipe")) {
        answer_with_contents(req);
    } else if (begins(order, "untaken")) {
        respond_two(req, lpm_request_has_stream(req), lpm_request_has_socket(req));
    } else if (begins(order, "reader-dies")) {
        lpm_request_stream(req);
        raise(SIGKILL);
    } else if (begins(order, "writer-dies")) {
        die_writing(req, number_in(order));
    } else if (begins(order, "refuse-file")) {
        refuse_file(req);
    } else if (begins(order, "answer-pipe")) {
        answer_pipe(req);
    } else if (begins(order, "late")) {
        lpm_request_on_cancel(req, on_cancel, lpm_request_worker(req));
        lpm_worker_emit(lpm_request_worker(req), "cancel", "", 0, NULL, NULL);
    } else if (begins(order, "twice")) {
        close(lpm_request_stream(req));
        respond_two(req, lpm_request_stream(req), lpm_request_socket(req));
    }
}

static void request(lpm_request *req)
{
    char order[ORDER_SIZE];

    text_of(lpm_request_data(req), order, sizeof(order));
    if (lpm_request_header(req, "x-courier").len > 0) {
        run(req, order);
    } else {
        lpm_worker_emit(lpm_request_worker(req), "courier", order, strlen(order), NULL, NULL);
        lpm_ack(req);
    }
}

static void on_parcel(lpm_event *ev, void *arg)
{
    int fd = lpm_event_fd(ev);
    char room[64] = "";

    lpm_log(arg, LPM_LOG_NOTICE, "parcel: \"%.*s\", then %d", (int)read(fd, room, sizeof(room)), room,
            lpm_event_fd(ev));
    close(fd);
}

static int worker_init(lpm_worker *w)
{
    lpm_worker_on(w, "parcel", on_parcel, w);
    return lpm_worker_ready(w);
}

/* -- The supervisor's side ---------------------------------------------------------------------------- */

struct errand {
    lpm_supervisor *s;
    struct event *event;
    char order[ORDER_SIZE];
    int fd; /* what it reads from, or writes to; -1 */
    size_t bytes;
};

static void errand_free(struct errand *e)
{
    if (e->event) {
        event_free(e->event);
    }
    if (e->fd >= 0) {
        close(e->fd);
    }
    free(e);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct errand *e = arg;
    char room[65536];
    ssize_t n = read(fd, room, sizeof(room));

    (void)what;
    if (n > 0) {
        e->bytes += (size_t)n;
    } else if (n == 0 || errno != EAGAIN) {
        lpm_log(e->s, LPM_LOG_NOTICE, "%s: %zu bytes, %s", e->order, e->bytes,
                n == 0 ? "ended" : strerror(errno));
        errand_free(e);
    }
}

static void on_response(lpm_response *res, void *arg)
{
    struct errand *e = arg;
    lpm_slice data = lpm_response_data(res);
    int stream = lpm_response_stream(res);
    const char *writer = "";

    if (stream >= 0) {
        e->fd = stream;
        e->event = event_new(lpm_supervisor_event_base(e->s), stream, EV_READ | EV_PERSIST, on_readable, e);
        event_add(e->event, NULL);
        return;
    }
    if (e->fd >= 0) { /* the writer's end of what was passed; the reader may be dying just now */
        struct pollfd p = {.fd = e->fd};
        poll(&p, 1, 1000);
        writer = send(e->fd, "x", 1, MSG_NOSIGNAL) < 0 ? strerror(errno) : "sent";
    }
    lpm_log(e->s, LPM_LOG_NOTICE, "%s: error %d, \"%.*s\" %s", e->order, lpm_response_error(res),
            (int)data.len, data.data, writer);
    errand_free(e);
}

/* The descriptor to pass; 0: none. */
static int to_pass(struct errand *e)
{
    int fds[2];

    if (begins(e->order, "file ")) {
        return open(e->order + 5, O_RDONLY | O_CLOEXEC);
    }
    if (begins(e->order, "pipe") || begins(e->order, "broadcast")) {
        if (pipe2(fds, O_CLOEXEC) != 0 || write(fds[1], "through a pipe", 14) != 14) {
            return -1;
        }
        close(fds[1]);
        return fds[0];
    }
    if (begins(e->order, "untaken") || begins(e->order, "reader-dies") || begins(e->order, "twice")) {
        lpm_stream_pair(e->s, fds);
        e->fd = fds[1];
        return fds[0];
    }
    return 0;
}

/* Of the last order. */
static struct {
    struct errand *errand;
    uint64_t ticket;
} late;

static void on_cancel_order(lpm_event *ev, void *arg)
{
    (void)ev;
    lpm_log(arg, LPM_LOG_NOTICE, "late: cancelled, %d", lpm_supervisor_cancel(arg, late.ticket));
    errand_free(late.errand);
}

static void on_order(lpm_event *ev, void *arg)
{
    struct errand *e = calloc(1, sizeof(*e));
    lpm_header mark = {lpm_slice_of("x-courier"), lpm_slice_of("1")};
    lpm_enqueue spec = {.size = sizeof(spec),
                        .handler = lpm_supervisor_handler(arg, "courier"),
                        .headers = &mark,
                        .header_count = 1,
                        .data = e->order,
                        .timeout = LPM_NONE,
                        .retries = 3,
                        .ticket = &late.ticket};
    int rc;

    e->s = arg;
    e->fd = -1;
    text_of(lpm_event_data(ev), e->order, sizeof(e->order));
    spec.len = strlen(e->order);
    spec.stream = to_pass(e);
    if (begins(e->order, "late")) {
        late.errand = e;
    }
    if (begins(e->order, "broadcast")) {
        rc = lpm_supervisor_broadcast(e->s, NULL, "parcel", "", 0, spec.stream);
        lpm_log(e->s, LPM_LOG_NOTICE, "%s: %d", e->order, rc);
        close(spec.stream);
        errand_free(e);
        return;
    }
    rc = lpm_supervisor_enqueue(e->s, &spec, on_response, e);
    if (rc != 0) {
        lpm_log(e->s, LPM_LOG_NOTICE, "%s: refused, %d", e->order, rc);
        errand_free(e);
    }
}

static int supervisor_init(lpm_supervisor *s)
{
    lpm_supervisor_on(s, "cancel", on_cancel_order, s);
    return lpm_supervisor_on(s, "courier", on_order, s);
}

LPM_MODULE(.name = "courier", .version = "1.0", .request = request, .worker_init = worker_init,
           .supervisor_init = supervisor_init);
