/*
 * The worker's side of the module `seed`. The request's data is the order, its words cut at the first blanks:
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
 *     ticks N              a stream of N lines, one each 100 ms
 *     socket               answers, then greets on the socket that came, and echoes until it closes
 */
#include "seed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static long number(const char *text)
{
    return text ? strtol(text, NULL, 10) : 0;
}

static char heard[SEED_TEXT_SIZE];

static void on_broadcast(lpm_event *ev, void *arg)
{
    char data[256];
    size_t used = strlen(heard);
    (void)arg;
    seed_text(lpm_event_data(ev), data, sizeof(data));
    snprintf(heard + used, sizeof(heard) - used, "%s=%s;", lpm_event_name(ev), data);
}

static void on_own_event(lpm_event *ev, void *arg)
{
    lpm_log(arg, LPM_LOG_NOTICE, "heard %s", lpm_event_name(ev));
    if (strcmp(lpm_event_name(ev), "softKill") == 0) {
        lpm_worker_soft_kill_done(arg);
    }
}

int seed_worker_init(lpm_worker *w)
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
        seed_say(arg, "error %d %s", lpm_response_error(res), lpm_response_error_text(res));
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

    seed_text(lpm_response_data(res), text, sizeof(text));
    emits->wrong += strtol(text, NULL, 10) != 2 * emits->count;
    if (++emits->count == emits->wanted) {
        seed_say(emits->req, "%ld replies, %d wrong", emits->count, emits->wrong);
        free(emits);
    }
}

static void order_emits(lpm_worker *w, lpm_request *req, char *rest)
{
    long count = number(rest);
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

static void order_socket(lpm_worker *w, lpm_request *req, char *rest)
{
    struct echo *echo = calloc(1, sizeof(*echo));
    (void)rest;
    echo->w = w;
    echo->fd = lpm_request_socket(req);
    if (echo->fd < 0 || lpm_request_socket(req) != LPM_EDONE || !lpm_request_has_socket(req)) {
        seed_say(req, "no socket: %d", echo->fd);
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
        seed_say(req, "no stream");
        return;
    }
    lpm_respond_stream(req, "head:", 5, fds[0]);
    seed_source_write(w, lpm_worker_event_base(w), fds[1], size, abort);
}

static void on_ready_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    lpm_log(arg, LPM_LOG_NOTICE, "ready again: %d", lpm_worker_ready(arg));
}

static void order_busy(lpm_worker *w, lpm_request *req, char *rest)
{
    long ms = number(rest);
    const struct timeval wait = {ms / 1000, ms % 1000 * 1000};

    if (lpm_worker_busy(w) != 0 ||
        event_base_once(lpm_worker_event_base(w), -1, EV_TIMEOUT, on_ready_again, w, &wait) != 0) {
        seed_say(req, "not busy");
        return;
    }
    seed_say(req, "%ld", (long)getpid());
}

/* Later, so that what came before the order is answered. */
static void on_die(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    _exit(3);
}

static void order_listed(lpm_worker *w, lpm_request *req, char *rest)
{
    lpm_request *list[64];
    size_t count = lpm_worker_requests(w, list, 64);
    (void)rest;

    for (size_t i = 0; i < count && i < 64; i++) {
        if (list[i] != req) {
            seed_say(list[i], "answered through the list");
        }
    }
    seed_say(req, "%zu before, %zu after", count, lpm_worker_requests(w, NULL, 0));
}

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

static void order_ticks(lpm_worker *w, lpm_request *req, char *rest)
{
    const struct timeval each = {0, 100000};
    struct ticks *ticks = calloc(1, sizeof(*ticks));
    int fds[2];
    lpm_stream_pair(w, fds);
    lpm_respond_stream(req, "", 0, fds[0]);
    ticks->w = w;
    ticks->fd = fds[1];
    ticks->left = number(rest);
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

/* -- The other orders --------------------------------------------------------------------------------- */

static void emit(lpm_worker *w, lpm_request *req, char *rest, lpm_response_fn fn)
{
    const char *event = rest, *data;
    int rc;

    seed_word(&rest);
    data = rest ? rest : "";
    rc = lpm_worker_emit(w, event, data, strlen(data), fn, req);
    if (rc != 0 || !fn) {
        seed_say(req, "emit: %d", rc);
    }
}

static void order_emit(lpm_worker *w, lpm_request *req, char *rest)
{
    emit(w, req, rest, on_reply);
}

static void order_fire(lpm_worker *w, lpm_request *req, char *rest)
{
    emit(w, req, rest, NULL);
}

static void order_got(lpm_worker *w, lpm_request *req, char *rest)
{
    (void)w;
    (void)rest;
    seed_say(req, "%s", heard);
}

static void order_created(lpm_worker *w, lpm_request *req, char *rest)
{
    (void)w;
    (void)rest;
    seed_say(req, "%s %llu", lpm_request_id(req), (unsigned long long)lpm_request_created_at(req));
}

static void order_die(lpm_worker *w, lpm_request *req, char *rest)
{
    const struct timeval wait = {0, 100000};
    (void)req;
    (void)rest;
    event_base_once(lpm_worker_event_base(w), -1, EV_TIMEOUT, on_die, NULL, &wait);
}

static void order_pid(lpm_worker *w, lpm_request *req, char *rest)
{
    (void)w;
    (void)rest;
    seed_say(req, "%ld", (long)getpid());
}

static void order_sleep(lpm_worker *w, lpm_request *req, char *rest)
{
    (void)w;
    usleep((useconds_t)number(rest) * 1000);
    seed_say(req, "slept");
}

static void order_hold(lpm_worker *w, lpm_request *req, char *rest)
{
    seed_answer_later(lpm_worker_event_base(w), req, number(rest), "held");
}

static struct kept {
    struct kept *next;
} * all_kept;

static void order_take(lpm_worker *w, lpm_request *req, char *rest)
{
    long n = number(rest);
    struct kept *kept = malloc((size_t)n); /* on purpose: the heap shall grow */
    (void)w;
    memset(kept, 1, (size_t)n);
    kept->next = all_kept;
    all_kept = kept;
    seed_say(req, "took %ld", n);
}

static void order_requests(lpm_worker *w, lpm_request *req, char *rest)
{
    (void)rest;
    seed_say(req, "%zu", lpm_worker_requests(w, NULL, 0));
}

static void order_cancelled(lpm_worker *w, lpm_request *req, char *rest)
{
    (void)rest;
    lpm_request_on_cancel(req, on_cancel, w);
}

static void order_stream(lpm_worker *w, lpm_request *req, char *rest)
{
    (void)rest;
    if (lpm_request_has_stream(req)) {
        seed_flow_read(lpm_worker_event_base(w), lpm_request_stream(req), seed_tell_flow, req);
    } else {
        seed_say(req, "no stream");
    }
}

static void order_answer_stream(lpm_worker *w, lpm_request *req, char *rest)
{
    answer_with_stream(w, req, (size_t)number(rest), 0);
}

static void order_abort_stream(lpm_worker *w, lpm_request *req, char *rest)
{
    answer_with_stream(w, req, (size_t)number(rest), 1);
}

static void order_measured(lpm_worker *w, lpm_request *req, char *rest)
{
    answer_measured(w, req, number(rest), number(rest));
}

static void order_measured_short(lpm_worker *w, lpm_request *req, char *rest)
{
    answer_measured(w, req, number(rest), number(rest) / 2);
}

static const struct {
    const char *name;
    void (*run)(lpm_worker *w, lpm_request *req, char *rest);
} orders[] = {
    {"emit", order_emit},
    {"fire", order_fire},
    {"emits", order_emits},
    {"got", order_got},
    {"busy", order_busy},
    {"listed", order_listed},
    {"created", order_created},
    {"die", order_die},
    {"pid", order_pid},
    {"sleep", order_sleep},
    {"take", order_take},
    {"hold", order_hold},
    {"requests", order_requests},
    {"cancelled", order_cancelled},
    {"stream", order_stream},
    {"answer-stream", order_answer_stream},
    {"abort-stream", order_abort_stream},
    {"measured", order_measured},
    {"measured-short", order_measured_short},
    {"ticks", order_ticks},
    {"socket", order_socket},
};

void seed_request(lpm_request *req)
{
    char order[512], *rest = order;

    seed_text(lpm_request_data(req), order, sizeof(order));
    seed_word(&rest);
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strcmp(order, orders[i].name) == 0) {
            orders[i].run(lpm_request_worker(req), req, rest);
            return;
        }
    }
    seed_say(req, "unknown order %s", order);
}
