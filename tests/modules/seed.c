/*
 * The handler `seed`: what the README of load-process-manager promises, by order. The request's data is the order, its words
 * cut at the first blanks:
 *
 *     emit EVENT [DATA]    emits with a callback; answers with the reply, or "error CODE"
 *     fire EVENT [DATA]    emits without
 *     emits N              emits "double" N times, 0 to N-1; answers when all replies are there, in order
 *     got                  answers with the broadcasts that this worker has heard: "EVENT=DATA;..."
 *     busy MS              is busy for so long, and says so in the log; answers with its pid
 *     listed               answers the module's other open requests, too, and tells how many there were
 *     created              answers with the request's id and the time of its creation
 *     die                  ends the process in 100 ms
 *     pid, sleep MS, take BYTES, hold MS (answers later), requests (how many are open), cancelled (waits for its cancel)
 *     stream               reads the stream that came, answers with its bytes and sum, or "aborted after N"
 *     answer-stream N      answers with a stream of N bytes that it ends; abort-stream N: that it just closes
 *     measured N           the same with a content-length; measured-short N: that ends after half of it
 *     ticks N              a stream of N lines, one each 100 ms; endless: one that never ends
 *     socket               answers, then greets on the socket that came, and echoes until it closes
 *
 * Its other side listens in the bus to events that do what their name says and answer with what became of it: double,
 * later (answers in 50 ms), mute (never), nobody, broadcast "EVENT DATA", health, resize N, soft, hard, sigint (from then on SIGINT is
 * only logged), enqueue ORDER, upload N (as a stream, ended), upload-abort N, download ORDER, handover (a socket pair, one
 * end to a worker; what it says), try TIMEOUT RETRIES ORDER
 * (enqueues; the log tells the outcome), single (once only), refusals. It logs online, childSpawned, childExited, SIGINT, and the end of a soft kill.
 */
#define LPM_NEEDS 1
#include <lpm/module.h>

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_SIZE 8192

/* -- Both sides --------------------------------------------------------------------------------------- */

static void text_of(lpm_slice data, char *room, size_t size)
{
    size_t len = data.len < size - 1 ? data.len : size - 1;
    memcpy(room, data.data, len);
    room[len] = '\0';
}

/* Cuts the first word off. */
static char *word(char **text)
{
    return strsep(text, " ") ? *text : NULL;
}

static int say(lpm_request *req, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int say(lpm_request *req, const char *fmt, ...)
{
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return lpm_respond(req, text, strlen(text));
}

/* What comes through a stream, until its end. */
struct flow {
    struct event *event;
    int fd;
    size_t bytes;
    unsigned long sum;
    void (*done)(struct flow *flow, int error);
    void *arg;
};

static void on_flow(evutil_socket_t fd, short what, void *arg)
{
    struct flow *flow = arg;
    unsigned char room[65536];
    ssize_t n = read(fd, room, sizeof(room));

    (void)what;
    if (n > 0) {
        for (ssize_t i = 0; i < n; i++) {
            flow->sum = flow->sum * 31 + room[i];
        }
        flow->bytes += (size_t)n;
    } else if (n == 0 || errno != EAGAIN) {
        int error = n < 0 ? errno : 0;
        event_free(flow->event);
        close(flow->fd);
        flow->done(flow, error);
        free(flow);
    }
}

static void flow_read(struct event_base *base, int fd, void (*done)(struct flow *, int), void *arg)
{
    struct flow *flow = calloc(1, sizeof(*flow));
    flow->fd = fd;
    flow->done = done;
    flow->arg = arg;
    flow->event = event_new(base, fd, EV_READ | EV_PERSIST, on_flow, flow);
    event_add(flow->event, NULL);
}

/* What goes into one: bytes 0, 1, 2 ... */
struct source {
    struct event *event;
    const void *handle;
    int fd;
    size_t at, size;
    int abort;
};

static void on_source(evutil_socket_t fd, short what, void *arg)
{
    struct source *source = arg;
    unsigned char room[65536];
    size_t len = source->size - source->at < sizeof(room) ? source->size - source->at : sizeof(room);
    ssize_t n;

    (void)what;
    for (size_t i = 0; i < len; i++) {
        room[i] = (unsigned char)(source->at + i);
    }
    n = len ? write(fd, room, len) : 0;
    if (n > 0) {
        source->at += (size_t)n;
    }
    if ((n < 0 && errno != EAGAIN) || source->at == source->size) {
        event_free(source->event);
        if (source->abort) {
            close(source->fd);
        } else {
            lpm_stream_end(source->handle, source->fd);
        }
        free(source);
    }
}

static void source_write(const void *handle, struct event_base *base, int fd, size_t size, int abort)
{
    struct source *source = calloc(1, sizeof(*source));
    source->handle = handle;
    source->fd = fd;
    source->size = size;
    source->abort = abort;
    source->event = event_new(base, fd, EV_WRITE | EV_PERSIST, on_source, source);
    event_add(source->event, NULL);
}

static void tell_flow(struct flow *flow, int error)
{
    if (error) {
        say(flow->arg, "aborted after %zu: %s", flow->bytes, strerror(error));
    } else {
        say(flow->arg, "%zu bytes, sum %lu", flow->bytes, flow->sum);
    }
}

struct later {
    struct event *event;
    lpm_request *req;
    char text[64];
};

static void on_later(evutil_socket_t fd, short what, void *arg)
{
    struct later *later = arg;
    (void)fd;
    (void)what;
    say(later->req, "%s", later->text);
    event_free(later->event);
    free(later);
}

static void answer_later(struct event_base *base, lpm_request *req, long ms, const char *text)
{
    struct timeval wait = {ms / 1000, ms % 1000 * 1000};
    struct later *later = calloc(1, sizeof(*later));
    later->req = req;
    snprintf(later->text, sizeof(later->text), "%s", text);
    later->event = evtimer_new(base, on_later, later);
    event_add(later->event, &wait);
}

/* -- The worker's side -------------------------------------------------------------------------------- */

static char heard[TEXT_SIZE];

static void on_broadcast(lpm_event *ev, void *arg)
{
    char data[256];
    size_t used = strlen(heard);
    (void)arg;
    text_of(lpm_event_data(ev), data, sizeof(data));
    snprintf(heard + used, sizeof(heard) - used, "%s=%s;", lpm_event_name(ev), data);
}

static void on_own_event(lpm_event *ev, void *arg)
{
    lpm_log(arg, LPM_LOG_NOTICE, "heard %s", lpm_event_name(ev));
    if (strcmp(lpm_event_name(ev), "softKill") == 0) {
        lpm_worker_soft_kill_done(arg);
    }
}

static int worker_init(lpm_worker *w)
{
    lpm_worker_on(w, "note", on_broadcast, w);
    lpm_worker_once(w, "once", on_broadcast, w);
    lpm_worker_on(w, "softKill", on_own_event, w);
    lpm_worker_on(w, "hardKill", on_own_event, w);
    return lpm_worker_ready(w);
}

static void on_reply(lpm_response *res, void *arg)
{
    lpm_slice data = lpm_response_data(res);
    if (lpm_response_error(res)) {
        say(arg, "error %d %s", lpm_response_error(res), lpm_response_error_text(res));
    } else {
        lpm_respond(arg, data.data, data.len);
    }
}

struct emits {
    lpm_request *req;
    long wanted, count;
    int wrong;
};

static void on_one_of_many(lpm_response *res, void *arg)
{
    struct emits *emits = arg;
    char text[32];

    text_of(lpm_response_data(res), text, sizeof(text));
    emits->wrong += strtol(text, NULL, 10) != 2 * emits->count;
    if (++emits->count == emits->wanted) {
        say(emits->req, "%ld replies, %d wrong", emits->count, emits->wrong);
        free(emits);
    }
}

static void emit_many(lpm_worker *w, lpm_request *req, long count)
{
    struct emits *emits = calloc(1, sizeof(*emits));
    emits->req = req;
    emits->wanted = count;
    for (long i = 0; i < count; i++) {
        char text[32];
        int len = snprintf(text, sizeof(text), "%ld", i);
        lpm_worker_emit(w, "double", text, (size_t)len, on_one_of_many, emits);
    }
}

static void on_cancel(lpm_request *req, void *arg)
{
    lpm_log(arg, LPM_LOG_NOTICE, "cancelled %s", lpm_request_id(req));
    lpm_ack(req);
}

struct echo {
    lpm_worker *w;
    struct event *event;
    int fd;
};

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct echo *echo = arg;
    char room[4096];
    ssize_t n = read(fd, room, sizeof(room));
    (void)what;
    if (n > 0) {
        send(fd, room, (size_t)n, MSG_NOSIGNAL);
    } else if (n == 0 || errno != EAGAIN) {
        event_free(echo->event);
        lpm_socket_close(echo->w, echo->fd);
        lpm_log(echo->w, LPM_LOG_NOTICE, "second close: %d", lpm_socket_close(echo->w, echo->fd));
        free(echo);
    }
}

static void serve_socket(lpm_worker *w, lpm_request *req)
{
    struct echo *echo = calloc(1, sizeof(*echo));
    echo->w = w;
    echo->fd = lpm_request_socket(req);
    if (echo->fd < 0 || lpm_request_socket(req) != LPM_EDONE || !lpm_request_has_socket(req)) {
        say(req, "no socket: %d", echo->fd);
        free(echo);
        return;
    }
    send(echo->fd, "hello\n", 6, MSG_NOSIGNAL);
    echo->event = event_new(lpm_worker_event_base(w), echo->fd, EV_READ | EV_PERSIST, on_socket, echo);
    event_add(echo->event, NULL);
    lpm_ack(req);
}

static void answer_with_stream(lpm_worker *w, lpm_request *req, size_t size, int abort)
{
    int fds[2];
    if (lpm_stream_pair(w, fds) != 0) {
        say(req, "no stream");
        return;
    }
    lpm_respond_stream(req, "head:", 5, fds[0]);
    source_write(w, lpm_worker_event_base(w), fds[1], size, abort);
}

static void on_ready_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    lpm_log(arg, LPM_LOG_NOTICE, "ready again: %d", lpm_worker_ready(arg));
}

static void be_busy(lpm_worker *w, lpm_request *req, long ms)
{
    const struct timeval wait = {ms / 1000, ms % 1000 * 1000};

    if (lpm_worker_busy(w) != 0 ||
        event_base_once(lpm_worker_event_base(w), -1, EV_TIMEOUT, on_ready_again, w, &wait) != 0) {
        say(req, "not busy");
        return;
    }
    say(req, "%ld", (long)getpid());
}

/* Later, so that what came before the order is answered. */
static void on_die(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    _exit(3);
}

static void answer_listed(lpm_worker *w, lpm_request *req)
{
    lpm_request *list[64];
    size_t count = lpm_worker_requests(w, list, 64);

    for (size_t i = 0; i < count && i < 64; i++) {
        if (list[i] != req) {
            say(list[i], "answered through the list");
        }
    }
    say(req, "%zu before, %zu after", count, lpm_worker_requests(w, NULL, 0));
}

static struct kept {
    struct kept *next;
} * all_kept;

struct ticks {
    lpm_worker *w;
    struct event *event;
    int fd;
    long left;
};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct ticks *ticks = arg;
    (void)fd;
    (void)what;
    if (ticks->left-- > 0 && write(ticks->fd, "tick\n", 5) == 5) {
        return;
    }
    event_free(ticks->event);
    lpm_log(ticks->w, LPM_LOG_NOTICE, "ticks end: %d", lpm_stream_end(ticks->w, ticks->fd));
    free(ticks);
}

static void answer_with_ticks(lpm_worker *w, lpm_request *req, long count)
{
    const struct timeval each = {0, 100000};
    struct ticks *ticks = calloc(1, sizeof(*ticks));
    int fds[2];
    lpm_stream_pair(w, fds);
    lpm_respond_stream(req, "", 0, fds[0]);
    ticks->w = w;
    ticks->fd = fds[1];
    ticks->left = count;
    ticks->event = event_new(lpm_worker_event_base(w), -1, EV_PERSIST, on_tick, ticks);
    event_add(ticks->event, &each);
}

static void answer_measured(lpm_worker *w, lpm_request *req, long size, long sent)
{
    char length[32];
    snprintf(length, sizeof(length), "%ld", size + 5);
    lpm_respond_header(req, "content-length", length);
    answer_with_stream(w, req, (size_t)sent, 0);
}

static void request(lpm_request *req)
{
    lpm_worker *w = lpm_request_worker(req);
    char order[512], *rest = order;
    long n;

    text_of(lpm_request_data(req), order, sizeof(order));
    word(&rest);
    n = rest ? strtol(rest, NULL, 10) : 0;
    if (strcmp(order, "emit") == 0 || strcmp(order, "fire") == 0) {
        char *event = rest, *data;
        int rc;
        word(&rest);
        data = rest ? rest : (char *)"";
        rc = lpm_worker_emit(w, event, data, strlen(data), order[0] == 'e' ? on_reply : NULL, req);
        if (rc != 0 || order[0] == 'f') {
            say(req, "emit: %d", rc);
        }
    } else if (strcmp(order, "busy") == 0) {
        be_busy(w, req, n);
    } else if (strcmp(order, "listed") == 0) {
        answer_listed(w, req);
    } else if (strcmp(order, "created") == 0) {
        say(req, "%s %llu", lpm_request_id(req), (unsigned long long)lpm_request_created_at(req));
    } else if (strcmp(order, "die") == 0) {
        event_base_once(lpm_worker_event_base(w), -1, EV_TIMEOUT, on_die, NULL, &(struct timeval){0, 100000});
    } else if (strcmp(order, "emits") == 0) {
        emit_many(w, req, n);
    } else if (strcmp(order, "got") == 0) {
        say(req, "%s", heard);
    } else if (strcmp(order, "pid") == 0) {
        say(req, "%ld", (long)getpid());
    } else if (strcmp(order, "sleep") == 0) {
        usleep((useconds_t)n * 1000);
        say(req, "slept");
    } else if (strcmp(order, "hold") == 0) {
        answer_later(lpm_worker_event_base(w), req, n, "held");
    } else if (strcmp(order, "take") == 0) {
        struct kept *kept = malloc((size_t)n); /* on purpose: the heap shall grow */
        memset(kept, 1, (size_t)n);
        kept->next = all_kept;
        all_kept = kept;
        say(req, "took %ld", n);
    } else if (strcmp(order, "requests") == 0) {
        say(req, "%zu", lpm_worker_requests(w, NULL, 0));
    } else if (strcmp(order, "cancelled") == 0) {
        lpm_request_on_cancel(req, on_cancel, w);
    } else if (strcmp(order, "stream") == 0 && lpm_request_has_stream(req)) {
        flow_read(lpm_worker_event_base(w), lpm_request_stream(req), tell_flow, req);
    } else if (strcmp(order, "answer-stream") == 0) {
        answer_with_stream(w, req, (size_t)n, 0);
    } else if (strcmp(order, "abort-stream") == 0) {
        answer_with_stream(w, req, (size_t)n, 1);
    } else if (strcmp(order, "measured") == 0) {
        answer_measured(w, req, n, n);
    } else if (strcmp(order, "measured-short") == 0) {
        answer_measured(w, req, n, n / 2);
    } else if (strcmp(order, "ticks") == 0) {
        answer_with_ticks(w, req, n);
    } else if (strcmp(order, "socket") == 0) {
        serve_socket(w, req);
    } else {
        say(req, "unknown order %s", order);
    }
}

/* -- The supervisor's side ---------------------------------------------------------------------------- */

static void on_done(int error, void *arg)
{
    lpm_log(arg, LPM_LOG_NOTICE, "done %d", error);
}

static void on_enqueued(lpm_response *res, void *arg)
{
    char data[1024];
    text_of(lpm_response_data(res), data, sizeof(data));
    say(arg, "%s%s", lpm_response_error_text(res), data);
}

static void tell_download(struct flow *flow, int error)
{
    tell_flow(flow, error);
}

struct download {
    lpm_supervisor *s;
    lpm_request *req;
};

static void on_download(lpm_response *res, void *arg)
{
    struct download *download = arg;
    if (lpm_response_error(res) || !lpm_response_has_stream(res)) {
        say(download->req, "no stream: %s", lpm_response_error_text(res));
    } else {
        flow_read(lpm_supervisor_event_base(download->s), lpm_response_stream(res), tell_download,
                  download->req);
    }
    free(download);
}

static int enqueue_with(lpm_supervisor *s, const char *order, int64_t timeout, int64_t retries, int stream,
                        int socket, lpm_response_fn fn, void *arg)
{
    lpm_enqueue spec = {.size = sizeof(spec),
                        .handler = lpm_supervisor_handler(s, "seed"),
                        .data = order,
                        .len = strlen(order),
                        .timeout = timeout,
                        .retries = retries,
                        .stream = stream,
                        .socket = socket};
    return lpm_supervisor_enqueue(s, &spec, fn, arg);
}

static int enqueue(lpm_supervisor *s, const char *order, int stream, int socket, lpm_response_fn fn,
                   void *arg)
{
    return enqueue_with(s, order, LPM_DEFAULT, LPM_DEFAULT, stream, socket, fn, arg);
}

/* The answer to "created" is what the response says as well. */
static void on_tried(lpm_response *res, void *arg)
{
    char data[256], known[256];

    text_of(lpm_response_data(res), data, sizeof(data));
    snprintf(known, sizeof(known), "%s %llu", lpm_response_id(res),
             (unsigned long long)lpm_response_created_at(res));
    lpm_log(arg, LPM_LOG_NOTICE, "outcome %d: %s", lpm_response_error(res),
            strcmp(data, known) == 0 ? "the same id and time" : data);
}

/* The default is what the configuration says where TIMEOUT or RETRIES is "-". */
static void try_order(lpm_supervisor *s, lpm_request *req, char *order)
{
    char *timeout = order, *retries = word(&order) ? order : NULL;

    if (retries == NULL || word(&order) == NULL) {
        say(req, "try TIMEOUT RETRIES ORDER");
        return;
    }
    say(req, "%d",
        enqueue_with(s, order, strcmp(timeout, "-") == 0 ? LPM_DEFAULT : strtol(timeout, NULL, 10),
                     strcmp(retries, "-") == 0 ? LPM_DEFAULT : strtol(retries, NULL, 10), 0, 0, on_tried, s));
}

static void tell_health(lpm_supervisor *s, lpm_request *req)
{
    lpm_health list[64];
    size_t count = lpm_supervisor_health(s, list, 64);
    char text[TEXT_SIZE] = "";
    size_t used = 0;

    for (size_t i = 0; i < count && i < 64 && used < sizeof(text); i++) {
        used += (size_t)snprintf(
            text + used, sizeof(text) - used,
            "%s/%u pid=%d state=%d gen=%u restarts=%u in_flight=%u started=%u sockets=%u requests=%llu "
            "uptime=%llu rss=%llu heap=%llu/%llu\n",
            list[i].pool, list[i].index, list[i].pid, list[i].state, list[i].generation, list[i].restarts,
            list[i].in_flight, list[i].started, list[i].sockets, (unsigned long long)list[i].requests,
            (unsigned long long)list[i].uptime, (unsigned long long)list[i].rss,
            (unsigned long long)list[i].heap_used, (unsigned long long)list[i].heap_total);
    }
    say(req, "%s", text);
}

static void on_sigint(lpm_event *ev, void *arg)
{
    (void)ev;
    lpm_log(arg, LPM_LOG_NOTICE, "heard SIGINT");
}

static void upload(lpm_supervisor *s, lpm_request *req, size_t size, int abort)
{
    int fds[2];
    if (lpm_stream_pair(s, fds) != 0 || enqueue(s, "stream", fds[0], 0, on_enqueued, req) != 0) {
        say(req, "no stream");
        return;
    }
    source_write(s, lpm_supervisor_event_base(s), fds[1], size, abort);
}

static void tell_handover(struct flow *flow, int error)
{
    tell_flow(flow, error);
}

static void ignore(lpm_response *res, void *arg)
{
    (void)res;
    (void)arg;
}

static void handover(lpm_supervisor *s, lpm_request *req)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0 ||
        enqueue(s, "socket", 0, fds[0], ignore, NULL) != 0) {
        say(req, "no socket");
        return;
    }
    send(fds[1], "again\n", 6, MSG_NOSIGNAL);
    shutdown(fds[1], SHUT_WR);
    flow_read(lpm_supervisor_event_base(s), fds[1], tell_handover, req);
}

static void refusals(lpm_supervisor *s, lpm_request *req)
{
    char longest[66];
    memset(longest, 'n', 65);
    longest[65] = '\0';
    say(req, "%d %d %d %d %d %d %d", lpm_supervisor_on(s, NULL, on_sigint, s),
        lpm_supervisor_on(s, longest, on_sigint, s), lpm_supervisor_off(s, "none", on_sigint, s),
        lpm_supervisor_broadcast(s, "nopool", "e", "", 0, 0),
        lpm_supervisor_broadcast(s, NULL, "e", "", (size_t)2 << 30, 0),
        lpm_supervisor_resize(s, NULL, 0, NULL, NULL), lpm_supervisor_resize(s, "nopool", 2, NULL, NULL));
}

static void on_order(lpm_event *ev, void *arg)
{
    lpm_supervisor *s = arg;
    lpm_request *req = lpm_event_request(ev);
    const char *event = lpm_event_name(ev);
    char data[512];

    text_of(lpm_event_data(ev), data, sizeof(data));
    if (strcmp(event, "double") == 0) {
        say(req, "%ld", 2 * strtol(data, NULL, 10));
    } else if (strcmp(event, "later") == 0) {
        answer_later(lpm_supervisor_event_base(s), req, 50, data);
    } else if (strcmp(event, "broadcast") == 0) {
        char *rest = data;
        word(&rest);
        say(req, "%d", lpm_supervisor_broadcast(s, NULL, data, rest ? rest : "", rest ? strlen(rest) : 0, 0));
    } else if (strcmp(event, "health") == 0) {
        tell_health(s, req);
    } else if (strcmp(event, "resize") == 0) {
        /* Not answered when it is done: the one who asks may be one who has to go. */
        say(req, "%d", lpm_supervisor_resize(s, NULL, (unsigned)strtol(data, NULL, 10), on_done, s));
    } else if (strcmp(event, "soft") == 0) {
        int first = lpm_supervisor_soft_kill(s, on_done, s), second = lpm_supervisor_soft_kill(s, NULL, NULL);
        say(req, "%d %d", first, second);
    } else if (strcmp(event, "hard") == 0) {
        say(req, "%d", lpm_supervisor_hard_kill(s));
    } else if (strcmp(event, "sigint") == 0) {
        say(req, "%d", lpm_supervisor_on(s, "SIGINT", on_sigint, s));
    } else if (strcmp(event, "enqueue") == 0) {
        int rc = enqueue(s, data, 0, 0, on_enqueued, req);
        if (rc != 0) {
            say(req, "enqueue: %d", rc);
        }
    } else if (strcmp(event, "upload") == 0 || strcmp(event, "upload-abort") == 0) {
        upload(s, req, (size_t)strtol(data, NULL, 10), event[6] != '\0');
    } else if (strcmp(event, "download") == 0) {
        struct download *download = calloc(1, sizeof(*download));
        download->s = s;
        download->req = req;
        enqueue(s, data, 0, 0, on_download, download);
    } else if (strcmp(event, "handover") == 0) {
        handover(s, req);
    } else if (strcmp(event, "try") == 0) {
        try_order(s, req, data);
    } else if (strcmp(event, "single") == 0) {
        say(req, "heard");
    } else if (strcmp(event, "refusals") == 0) {
        refusals(s, req);
    }
}

static void on_worker(lpm_event *ev, void *arg)
{
    lpm_health worker;
    char text[64];
    text_of(lpm_event_data(ev), text, sizeof(text));
    if (lpm_event_worker(ev, &worker) == 0) {
        lpm_log(arg, LPM_LOG_NOTICE, "heard %s %s/%u %s", lpm_event_name(ev), worker.pool, worker.index,
                text);
    } else {
        lpm_log(arg, LPM_LOG_NOTICE, "heard %s", lpm_event_name(ev));
    }
}

static int supervisor_init(lpm_supervisor *s)
{
    static const char *const orders[] = {
        "double",  "later",  "broadcast",    "health",   "resize",   "soft",     "hard", "sigint",
        "enqueue", "upload", "upload-abort", "download", "handover", "refusals", "try",  "mute"};
    static const char *const own[] = {"online", "childSpawned", "childExited"};
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        lpm_supervisor_on(s, orders[i], on_order, s);
    }
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        lpm_supervisor_on(s, own[i], on_worker, s);
    }
    lpm_supervisor_once(s, "single", on_order, s);
    return 0;
}

LPM_MODULE(.name = "seed", .version = "1.0", .request = request, .worker_init = worker_init,
           .supervisor_init = supervisor_init);
