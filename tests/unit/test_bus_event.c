/*
 * Events in the bus: what a worker emits reaches the listeners and is answered once, in order and within bounds; what is
 * broadcast reaches every worker that is up, also one that does not read for a while.
 */
#include "bus_fixture.h"

#include <signal.h>

#define LISTEN(f, event, fn, arg) assert_int_equal(lpm_supervisor_on(&(f)->supervisor, event, fn, arg), 0)

/* What a listener has seen. */
struct seen {
    int calls;
    char name[72], data[32], id[40];
    lpm_request *req;
    int of_worker; /* what lpm_event_worker() gave */
    lpm_health worker;
};

static void keep_it(lpm_event *ev, void *arg)
{
    struct seen *seen = arg;
    lpm_slice data = lpm_event_data(ev);

    seen->calls++;
    snprintf(seen->name, sizeof(seen->name), "%s", lpm_event_name(ev));
    snprintf(seen->data, sizeof(seen->data), "%.*s", (int)data.len, data.data);
    seen->req = lpm_event_request(ev);
    snprintf(seen->id, sizeof(seen->id), "%s", seen->req ? lpm_request_id(seen->req) : "");
    seen->of_worker = lpm_event_worker(ev, &seen->worker);
}

static void echo_it(lpm_event *ev, void *arg)
{
    lpm_slice data = lpm_request_data(lpm_event_request(ev));
    *(int *)arg = lpm_respond(lpm_event_request(ev), data.data, data.len);
}

/* A worker emits; `fill`: bytes of data besides, or instead of, the text. */
static void emit(struct fixture *f, const char *event, uint32_t seq, const char *text, size_t fill,
                 unsigned flags)
{
    char headers[128];
    char *data = calloc(1, fill + strlen(text) + 1);
    struct frame frame = {.type = FRAME_EMIT, .flags = (uint8_t)flags, .key = {0, seq}, .header_count = 1};

    assert_non_null(data);
    strcpy(data, text);
    frame.data = (lpm_slice){data, fill + strlen(text)};
    frame.headers = (lpm_slice){
        headers, (size_t)(frame_header_encode(headers, lpm_slice_of(FRAME_EVENT_NAME), lpm_slice_of(event)) -
                          headers)};
    say(f, &frame);
    free(data);
}

/* The next that the worker hears: its data begins with `text`. Returns the number or, of an event, 0. */
static uint32_t expect(struct fixture *f, enum frame_type type, int error, const char *text)
{
    struct channel_message message;
    struct frame frame;
    const char *why;
    uint32_t seq;

    assert_int_equal(channel_next(f->channel, &message, &why), 1);
    assert_int_equal(frame_decode(&frame, message.data, message.len, &why), 0);
    assert_int_equal(frame.type, type);
    assert_int_equal(frame.error, error);
    assert_true(frame.data.len >= strlen(text));
    assert_memory_equal(frame.data.data, text, strlen(text));
    seq = frame.key.seq;
    channel_release(f->channel, &message);
    return seq;
}

static void expect_nothing(struct fixture *f)
{
    struct frame_key key;
    assert_int_equal(hear(f, &key), FRAME_TYPE_END);
}

static void an_emit_is_answered(void **state)
{
    struct fixture *f = fixture_new();
    struct seen seen = {0};
    int rc = 1;

    (void)state;
    LISTEN(f, "ask", keep_it, &seen);
    LISTEN(f, "ask", echo_it, &rc);
    start_worker(f); /* one that is not ready may emit, too */
    emit(f, "ask", 7, "question", 0, FRAME_WANTS_REPLY);
    turn(f);
    assert_int_equal(seen.calls, 1);
    assert_string_equal(seen.name, "ask");
    assert_string_equal(seen.data, "question");
    assert_int_equal(strlen(seen.id), 36);
    assert_int_equal(seen.of_worker, 0);
    assert_int_equal(seen.worker.pid, getpid());
    assert_int_equal(rc, 0);
    assert_int_equal(expect(f, FRAME_REPLY, 0, "question"), 7);
    assert_int_equal(lpm_respond_text(seen.req, "again"), LPM_EDONE); /* of several the first counts */
    assert_int_equal(lpm_ack(seen.req), LPM_EDONE);
    assert_int_equal(lpm_respond_header(seen.req, "a", "b"), LPM_EDONE);
    assert_int_equal(lpm_request_data(seen.req).len, 0);
    turn(f);
    expect_nothing(f);
    fixture_free(f);
}

static void an_emit_is_answered_later(void **state)
{
    struct fixture *f = fixture_new();
    struct seen seen = {0};
    struct channel_message message;
    struct frame frame;
    const char *why;
    int context;

    (void)state;
    LISTEN(f, "ask", keep_it, &seen);
    start_ready_worker(f);
    emit(f, "ask", 1, "question", 0, FRAME_WANTS_REPLY);
    turn(f);
    expect_nothing(f);
    assert_int_equal(lpm_slice_is(lpm_request_data(seen.req), "question"), 1);
    assert_in_range(lpm_request_created_at(seen.req), 1, clock_now());
    assert_int_equal(lpm_request_cancelled(seen.req), 0);
    assert_int_equal(lpm_request_deadline(seen.req), 0);
    assert_null(lpm_request_worker(seen.req));
    lpm_request_set_context(seen.req, &context);
    assert_ptr_equal(lpm_request_context(seen.req), &context);
    assert_int_equal(lpm_respond_header(seen.req, "Bad", "x"), LPM_EINVAL);
    assert_int_equal(lpm_respond_header(seen.req, "one", "1"), 0);
    assert_int_equal(lpm_respond(seen.req, NULL, 1), LPM_EINVAL);
    assert_int_equal(lpm_respond(seen.req, "", (size_t)2 << 30), LPM_ETOOBIG);
    assert_int_equal(lpm_respond_header(seen.req, "content-type", "a/b"), 0);
    assert_int_equal(lpm_respond_text(seen.req, "done"), 0);
    turn(f);
    assert_int_equal(channel_next(f->channel, &message, &why), 1);
    assert_int_equal(frame_decode(&frame, message.data, message.len, &why), 0);
    assert_int_equal(frame.header_count, 2);
    assert_true(lpm_slice_is(frame_header_find(frame.headers, "one"), "1"));
    assert_true(lpm_slice_is(frame_header_find(frame.headers, "content-type"), "a/b"));
    assert_true(lpm_slice_is(frame.data, "done"));
    channel_release(f->channel, &message);
    fixture_free(f);
}

static void nobody_listens(void **state)
{
    struct fixture *f = fixture_new();
    struct seen seen = {0};

    (void)state;
    LISTEN(f, "ask", keep_it, &seen);
    assert_int_equal(lpm_supervisor_off(&f->supervisor, "ask", keep_it, &seen), 0);
    start_ready_worker(f);
    emit(f, "ask", 1, "", 0, FRAME_WANTS_REPLY);
    emit(f, "ask", 2, "", 0, 0);
    turn(f);
    assert_int_equal(expect(f, FRAME_REPLY, LPM_ENOHANDLER, ""), 1);
    expect_nothing(f);
    assert_int_equal(seen.calls, 0);
    fixture_free(f);
}

static void no_reply_is_wanted(void **state)
{
    struct fixture *f = fixture_new();
    struct seen seen = {0};
    int rc = 1;

    (void)state;
    LISTEN(f, "ask", keep_it, &seen);
    start_ready_worker(f);
    emit(f, "ask", 1, "x", 0, 0);
    turn(f);
    assert_int_equal(lpm_respond_text(seen.req, "late"), LPM_EDONE); /* its time was the callback */
    LISTEN(f, "ask", echo_it, &rc);
    emit(f, "ask", 2, "x", 0, 0);
    turn(f);
    assert_int_equal(rc, 0);
    expect_nothing(f);
    assert_int_equal(worker(f)->emission_count, 0);
    assert_int_equal(worker(f)->emission_bytes, 0);
    fixture_free(f);
}

static void the_worker_is_gone(void **state)
{
    struct fixture *f = fixture_new();
    struct seen seen = {0};

    (void)state;
    LISTEN(f, "ask", keep_it, &seen);
    start_ready_worker(f);
    emit(f, "ask", 1, "x", 0, FRAME_WANTS_REPLY);
    turn(f);
    die(f);
    reap(f);
    start_ready_worker(f);
    assert_int_equal(lpm_request_cancelled(seen.req), 1);
    assert_true(lpm_slice_is(lpm_request_data(seen.req), "x"));
    assert_int_equal(lpm_respond_text(seen.req, "late"), LPM_ECANCELED);
    assert_int_equal(lpm_respond_text(seen.req, "later"), LPM_EDONE);
    turn(f);
    expect_nothing(f); /* the next one in its place did not ask */
    fixture_free(f);
}

/* As a request; but the listener's answer is no mistake, however late it comes. */
static void nobody_answers_in_time(void **state)
{
    struct fixture *f = fixture_new();
    struct seen first = {0}, second = {0}, third = {0};

    (void)state;
    f->core.timeout = SOON_MS;
    LISTEN(f, "first", keep_it, &first);
    LISTEN(f, "second", keep_it, &second);
    LISTEN(f, "third", keep_it, &third);
    start_ready_worker(f);
    emit(f, "first", 1, "x", 0, FRAME_WANTS_REPLY);
    emit(f, "third", 2, "x", 0, FRAME_WANTS_REPLY);
    emit(f, "second", 3, "x", 0, FRAME_WANTS_REPLY);
    turn(f);
    assert_int_equal(lpm_request_deadline(first.req),
                     lpm_request_created_at(first.req) + SOON_MS * CLOCK_NS_PER_MS);
    assert_int_equal(lpm_ack(first.req), 0);
    turn(f);
    assert_int_equal(expect(f, FRAME_REPLY, 0, ""), 1);
    while (!lpm_request_cancelled(second.req)) {
        event_base_loop(f->bus.base, EVLOOP_ONCE);
        bus_lifecycle_end_turn(&f->bus);
    }
    assert_in_range(clock_now(), lpm_request_deadline(second.req), UINT64_MAX);
    assert_int_equal(expect(f, FRAME_REPLY, LPM_ETIMEDOUT, ""), 2);
    assert_int_equal(expect(f, FRAME_REPLY, LPM_ETIMEDOUT, ""), 3);
    assert_int_equal(worker(f)->emission_count, 0);
    assert_true(lpm_slice_is(lpm_request_data(second.req), "x"));
    assert_int_equal(lpm_respond_text(second.req, "late"), LPM_ECANCELED);
    assert_int_equal(lpm_respond_text(second.req, "later"), LPM_EDONE);
    turn(f);
    expect_nothing(f);
    assert_int_equal(f->bus.emissions_lost_count, 1);
    fixture_free(f);
}

/* Of those whose worker has died, so many bytes are kept at the most; the oldest goes first. */
static void what_is_kept_of_the_dead(void **state)
{
    struct fixture *f = fixture_new();
    struct seen oldest = {0}, others = {0};
    size_t some = FRAME_EMITS_BYTES_MAX / 4;

    (void)state;
    LISTEN(f, "oldest", keep_it, &oldest);
    LISTEN(f, "other", keep_it, &others);
    for (int i = 0; i < 5; i++) {
        start_ready_worker(f);
        emit(f, i == 0 ? "oldest" : "other", 1, "", i < 4 ? some : 1, FRAME_WANTS_REPLY);
        turn(f);
        die(f);
        reap(f);
        assert_int_equal(f->bus.emissions_lost_count, i < 4 ? i + 1 : 4);
    }
    assert_int_equal(oldest.calls + others.calls, 5);
    assert_int_equal(f->bus.emissions_lost_bytes, 3 * some + 1);
    assert_int_equal(lpm_ack(oldest.req), LPM_EDONE);
    assert_int_equal(lpm_ack(others.req), LPM_ECANCELED);
    assert_int_equal(f->bus.emissions_lost_bytes, 3 * some);
    fixture_free(f);
}

/* Or so many of them. */
static void how_many_are_kept_of_the_dead(void **state)
{
    struct fixture *f = fixture_new();
    struct seen seen = {0};

    (void)state;
    LISTEN(f, "e", keep_it, &seen);
    for (uint32_t i = 0; i < 2; i++) {
        start_ready_worker(f);
        for (uint32_t seq = 1; seq <= FRAME_EMITS_MAX / 2 + 10; seq++) {
            emit(f, "e", seq, "", 0, FRAME_WANTS_REPLY);
            if (seq % 64 == 0) {
                turn(f);
            }
        }
        turn(f);
        die(f);
        reap(f);
    }
    assert_int_equal(seen.calls, FRAME_EMITS_MAX + 20);
    assert_int_equal(f->bus.emissions_lost_count, FRAME_EMITS_MAX);
    fixture_free(f);
}

static void killed(struct fixture *f)
{
    uint32_t heard;

    turn(f);
    while ((heard = master_hears(f)) != CONTROL_WORKER_KILL) {
        assert_int_not_equal(heard, CONTROL_TYPE_END);
    }
    assert_int_equal(worker(f)->state, BUS_WORKER_GONE);
}

static void names_of_the_core(void **state)
{
    static const char *const names[] = {"SIGINT", "online", "childSpawned", "childExited"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct fixture *f = fixture_new();
        struct seen seen = {0};
        start_ready_worker(f);
        LISTEN(f, names[i], keep_it, &seen);
        emit(f, names[i], 1, "", 0, 0);
        killed(f);
        assert_int_equal(seen.calls, 0);
        fixture_free(f);
    }
}

static void as_many_as_may_wait(void **state)
{
    struct fixture *f = fixture_new();
    struct seen seen = {0};

    (void)state;
    LISTEN(f, "ask", keep_it, &seen);
    start_ready_worker(f);
    for (uint32_t i = 1; i <= FRAME_EMITS_MAX; i++) {
        emit(f, "ask", i, "", 0, FRAME_WANTS_REPLY);
        while (i % 64 == 0 && seen.calls != (int)i) {
            turn(f);
        }
    }
    assert_int_equal(worker(f)->emission_count, FRAME_EMITS_MAX);
    emit(f, "ask", 1, "", 0, 0); /* one without a reply waits for none */
    turn(f);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    assert_int_equal(lpm_ack(seen.req), LPM_EDONE);
    emit(f, "ask", 2, "", 0, FRAME_WANTS_REPLY);
    killed(f);
    fixture_free(f);
}

static void as_many_bytes_as_may_wait(void **state)
{
    struct fixture *f = fixture_new();
    struct seen seen = {0};

    (void)state;
    LISTEN(f, "ask", keep_it, &seen);
    start_ready_worker(f);
    emit(f, "ask", 1, "", FRAME_EMITS_BYTES_MAX - 1, FRAME_WANTS_REPLY);
    emit(f, "ask", 2, "", 1000, FRAME_WANTS_REPLY);
    turn(f);
    assert_int_equal(seen.calls, 2);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    emit(f, "ask", 3, "", 0, FRAME_WANTS_REPLY);
    killed(f);
    assert_int_equal(seen.calls, 2);
    fixture_free(f);
}

/* One that asks and asks and never reads what it is told costs itself only. */
static void replies_to_one_that_does_not_read(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    start_ready_worker(f);
    for (uint32_t i = 1; worker(f)->state == BUS_WORKER_SERVING; i++) {
        assert_in_range(i, 1, 2 * FRAME_EMITS_MAX);
        emit(f, "nobody", i, "", 0, FRAME_WANTS_REPLY);
        if (i % 64 == 0) {
            turn(f);
        }
    }
    killed(f);
    assert_int_equal(worker(f)->outbox_replies, 0);
    fixture_free(f);
}

static int broadcast(struct fixture *f, const char *data, size_t len)
{
    return lpm_supervisor_broadcast(&f->supervisor, NULL, "note", data, len, 0);
}

static void broadcasts(void **state)
{
    struct fixture *f = fixture_new();
    lpm_supervisor *s = &f->supervisor;
    char longest[66];

    (void)state;
    assert_int_equal(broadcast(f, "early", 5), 0); /* nobody is there */
    start_worker(f);
    assert_int_equal(broadcast(f, "one", 3), 1);
    assert_int_equal(lpm_supervisor_broadcast(s, "default", "note", NULL, 0, 0), 1);
    turn(f);
    expect(f, FRAME_EVENT, 0, "one");
    expect(f, FRAME_EVENT, 0, "");
    memset(longest, 'n', sizeof(longest) - 1);
    longest[65] = '\0';
    assert_int_equal(lpm_supervisor_broadcast(s, NULL, longest, "", 0, 0), LPM_EINVAL);
    assert_int_equal(lpm_supervisor_broadcast(s, NULL, longest + 1, "", 0, 0), 1);
    assert_int_equal(lpm_supervisor_broadcast(s, NULL, NULL, "", 0, 0), LPM_EINVAL);
    assert_int_equal(lpm_supervisor_broadcast(s, NULL, "", "", 0, 0), LPM_EINVAL);
    assert_int_equal(lpm_supervisor_broadcast(s, NULL, "softKill", "", 0, 0), LPM_EINVAL);
    assert_int_equal(lpm_supervisor_broadcast(s, NULL, "hardKill", "", 0, 0), LPM_EINVAL);
    assert_int_equal(lpm_supervisor_broadcast(s, NULL, "request", "", 0, 0), LPM_EINVAL);
    assert_int_equal(lpm_supervisor_broadcast(s, NULL, "note", NULL, 1, 0), LPM_EINVAL);
    assert_int_equal(lpm_supervisor_broadcast(s, "none", "note", "", 0, 0), LPM_EINVAL);
    assert_int_equal(lpm_supervisor_broadcast(s, NULL, "note", "", (size_t)2 << 30, 0), LPM_ETOOBIG);
    assert_int_equal(lpm_supervisor_broadcast(NULL, NULL, "note", "", 0, 0), LPM_EINVAL);
    fixture_free(f);
}

/* Broadcasts until the worker's channel has no room; returns how many it took. */
static int fill(struct fixture *f)
{
    char data[8192];
    int count = 0;

    memset(data, 'f', sizeof(data));
    while (list_empty(&worker(f)->outbox)) {
        snprintf(data, sizeof(data), "%d.", count);
        assert_int_equal(broadcast(f, data, sizeof(data)), 1);
        turn(f);
        assert_in_range(++count, 1, 100000);
    }
    return count;
}

/* The worker reads until there is nothing: events with the numbers from `from` on. Returns the number after the last. */
static int read_events(struct fixture *f, int from)
{
    struct channel_message message;
    struct frame frame;
    const char *why;
    char number[16];

    for (int quiet = 0; quiet < 3; turn(f)) {
        quiet++;
        while (channel_next(f->channel, &message, &why) == 1) {
            assert_int_equal(frame_decode(&frame, message.data, message.len, &why), 0);
            assert_int_equal(frame.type, FRAME_EVENT);
            snprintf(number, sizeof(number), "%.*s", (int)frame.data.len, frame.data.data);
            assert_int_equal(strtol(number, NULL, 10), from++);
            channel_release(f->channel, &message);
            quiet = 0;
        }
    }
    return from;
}

static void one_that_does_not_read_hears_all_in_order(void **state)
{
    struct fixture *f = fixture_new();
    char data[16];
    int count, more = 0;

    (void)state;
    start_ready_worker(f);
    count = fill(f);
    for (;; more++) {
        int len = snprintf(data, sizeof(data), "%d.", count + more);
        int sent = broadcast(f, data, (size_t)len);
        if (sent == 0) {
            break;
        }
        assert_int_equal(sent, 1);
    }
    assert_int_equal(more, 1023); /* with the last one of fill() */
    assert_int_equal(read_events(f, 0), count + more);
    assert_int_equal(broadcast(f, "7.", 2), 1); /* and from then on it misses nothing again */
    turn(f);
    expect(f, FRAME_EVENT, 0, "7.");
    assert_int_equal(worker(f)->outbox_events, 0);
    assert_int_equal(worker(f)->outbox_bytes, 0);
    fixture_free(f);
}

static void a_reply_without_room_says_so(void **state)
{
    enum { BYTES = 40 * 1024 * 1024 };
    struct fixture *f = fixture_new();
    struct seen seen = {0};
    char *big = calloc(1, BYTES);
    lpm_request *first;
    int count;

    (void)state;
    assert_non_null(big);
    LISTEN(f, "ask", keep_it, &seen);
    start_ready_worker(f);
    emit(f, "ask", 1, "", 0, FRAME_WANTS_REPLY);
    turn(f);
    first = seen.req;
    emit(f, "ask", 2, "", 0, FRAME_WANTS_REPLY);
    turn(f);
    count = fill(f);
    assert_int_equal(lpm_respond(first, big, BYTES), 0);
    assert_int_equal(lpm_respond(seen.req, big, BYTES), LPM_ECANCELED);
    assert_int_equal(worker(f)->outbox_replies, 2);
    for (int i = 0; i < count; i++) {
        expect(f, FRAME_EVENT, 0, "");
        turn(f);
    }
    assert_int_equal(expect(f, FRAME_REPLY, 0, ""), 1);
    assert_int_equal(expect(f, FRAME_REPLY, LPM_EFULL, ""), 2);
    assert_int_equal(worker(f)->outbox_replies, 0);
    fixture_free(f);
    free(big);
}

static void soft_kill_comes_after_what_waits(void **state)
{
    struct fixture *f = fixture_new();
    struct frame_key key;
    enum frame_type last = FRAME_TYPE_END, type;
    int count, events = 0;

    (void)state;
    start_ready_worker(f);
    count = fill(f);
    bus_succession_event(worker(f), BUS_LEAVE_ON_ALONE);
    for (int i = 0; i < 50; i++, turn(f)) {
        while ((type = hear(f, &key)) != FRAME_TYPE_END) {
            events += type == FRAME_EVENT;
            last = type;
        }
    }
    assert_int_equal(events, count);
    assert_int_equal(last, FRAME_SOFT_KILL);
    fixture_free(f);
}

/* -- The core's own events ---------------------------------------------------------------------------- */

static void workers_come_and_go(void **state)
{
    struct fixture *f = fixture_new();
    struct seen online = {0}, spawned = {0}, exited = {0};

    (void)state;
    LISTEN(f, "online", keep_it, &online);
    LISTEN(f, "childSpawned", keep_it, &spawned);
    LISTEN(f, "childExited", keep_it, &exited);
    start_worker(f);
    assert_int_equal(spawned.calls, 1);
    assert_null(spawned.req);
    assert_int_equal(spawned.of_worker, 0);
    assert_string_equal(spawned.worker.pool, "default");
    assert_int_equal(spawned.worker.state, LPM_WORKER_STARTING);
    assert_int_equal(online.calls, 0);
    say_type(f, FRAME_READY);
    turn(f);
    assert_int_equal(online.calls, 1);
    assert_int_equal(online.of_worker, LPM_EINVAL);
    assert_null(online.req);
    die(f);
    assert_int_equal(exited.calls, 0);
    reap(f);
    assert_int_equal(exited.calls, 1);
    assert_string_equal(exited.data, "died of SIGKILL");
    assert_int_equal(exited.worker.pid, getpid());
    assert_int_equal(exited.worker.state, LPM_WORKER_ABSENT);
    start_ready_worker(f);
    assert_int_equal(spawned.calls, 2);
    assert_int_equal(online.calls, 1);
    fixture_free(f);
}

/* What the master hears next of SIGINT: 1 wanted, 0 not any more, -1 a hard kill is asked for, -2 nothing. */
static int sigint_said(struct fixture *f)
{
    struct control message;
    int fd = -1;

    if (control_receive(f->master, &message, &fd) != 1) {
        return -2;
    }
    if (message.type == CONTROL_ASK_HARD_KILL) {
        return -1;
    }
    assert_int_equal(message.type, CONTROL_SIGNAL_WANTED);
    assert_int_equal(message.status, SIGINT);
    return (int)message.index;
}

static void send_sigint(struct fixture *f)
{
    struct control message = {.type = CONTROL_SIGNAL, .status = SIGINT};
    assert_int_equal(control_send(f->master, &message, -1), 0);
    turn(f);
}

static void sigint(void **state)
{
    struct fixture *f = fixture_new();
    lpm_supervisor *s = &f->supervisor;
    struct seen seen = {0};

    (void)state;
    LISTEN(f, "SIGINT", keep_it, &seen);
    assert_int_equal(sigint_said(f), 1);
    LISTEN(f, "SIGINT", keep_it, &seen);
    assert_int_equal(sigint_said(f), -2);
    send_sigint(f);
    assert_int_equal(seen.calls, 2);
    assert_int_equal(lpm_supervisor_off(s, "SIGINT", keep_it, &seen), 0);
    assert_int_equal(sigint_said(f), -2);
    assert_int_equal(lpm_supervisor_off(s, "SIGINT", keep_it, &seen), 0);
    assert_int_equal(sigint_said(f), 0);
    send_sigint(f); /* the master had not read that when it came */
    assert_int_equal(sigint_said(f), -1);
    assert_int_equal(lpm_supervisor_once(s, "SIGINT", keep_it, &seen), 0);
    assert_int_equal(sigint_said(f), 1);
    send_sigint(f);
    assert_int_equal(seen.calls, 3);
    assert_int_equal(sigint_said(f), 0); /* the next one is the master's again */
    assert_int_equal(sigint_said(f), -2);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_emit_is_answered),
        cmocka_unit_test(an_emit_is_answered_later),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(no_reply_is_wanted),
        cmocka_unit_test(the_worker_is_gone),
        cmocka_unit_test(nobody_answers_in_time),
        cmocka_unit_test(what_is_kept_of_the_dead),
        cmocka_unit_test(how_many_are_kept_of_the_dead),
        cmocka_unit_test(names_of_the_core),
        cmocka_unit_test(as_many_as_may_wait),
        cmocka_unit_test(as_many_bytes_as_may_wait),
        cmocka_unit_test(replies_to_one_that_does_not_read),
        cmocka_unit_test(broadcasts),
        cmocka_unit_test(one_that_does_not_read_hears_all_in_order),
        cmocka_unit_test(a_reply_without_room_says_so),
        cmocka_unit_test(soft_kill_comes_after_what_waits),
        cmocka_unit_test(workers_come_and_go),
        cmocka_unit_test(sigint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
