/*
 * The bus's requests and workers, with the test in the place of the master, of the ingress module and of a worker: one
 * that answers, forgets, lies, sends rubbish and dies.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bus/bus_control.h"
#include "bus/bus_enqueue.h"
#include "bus/bus_event.h"
#include "bus/bus_host.h"
#include "bus/bus_lifecycle.h"
#include "bus/bus_response.h"
#include "bus/bus_rule.h"

#define NOT_CALLED 99
#define WAIT_MS    5000

static void handle(lpm_request *req)
{
    (void)req;
}

static const lpm_module module = {.name = "m", .request = handle};

struct outcome {
    int calls;
    int error;
    char data[32];
    char worker[32];
};

struct fixture {
    struct conf_pool conf;
    struct conf_core core;
    struct role_start start;
    struct bus bus;
    struct lpm_supervisor supervisor;
    struct lpm_handler handler;
    int master;              /* the master's end */
    struct channel *channel; /* the worker's end */
    uint32_t incarnation;
};

static struct fixture *fixture_with(unsigned concurrency)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct error err;
    int fds[2];

    assert_non_null(f);
    f->conf = (struct conf_pool){.name = "default",
                                 .count = 1,
                                 .concurrency = concurrency,
                                 .rss_limit = LPM_NONE,
                                 .kill_after = 20,
                                 .queue_limit = 8,
                                 .queue_bytes = LPM_NONE,
                                 .queue_timeout = LPM_NONE};
    f->core = (struct conf_core){
        .timeout = LPM_NONE, .retries = 0, .poison_after = 2, .pools = &f->conf, .pool_count = 1};
    f->core.tree = conf_tree_new();
    assert_non_null(f->core.tree);
    assert_int_equal(control_pair(fds, &err), 0);
    f->master = fds[0];
    f->start.core = &f->core;
    f->start.channel = fds[1];
    log_init(&f->start.log, -1, 0, "bus");
    f->bus.start = &f->start;
    f->bus.log = &f->start.log;
    f->bus.base = event_base_new();
    f->bus.modules = &f->supervisor;
    f->bus.handlers = &f->handler;
    f->bus.handler_count = 1;
    list_init(&f->bus.request_free);
    list_init(&f->bus.emissions_idle);
    list_init(&f->bus.emissions_lost);
    list_init(&f->bus.soft_kill_waiters);
    role_event_init(&f->bus.listeners);
    bus_host_init(&f->bus);
    f->supervisor.bus = &f->bus;
    f->supervisor.module = &module;
    f->supervisor.handle.host = &f->bus.host;
    f->bus.pools = calloc(1, sizeof(*f->bus.pools));
    assert_non_null(f->bus.pools);
    f->bus.pool_count = 1;
    assert_int_equal(bus_pool_init(f->bus.pools, &f->bus, 0), 0);
    f->handler = (struct lpm_handler){"m", 0, f->bus.pools};
    assert_int_equal(bus_control_init(&f->bus), 0);
    return f;
}

static struct fixture *fixture_new(void)
{
    return fixture_with(4);
}

static void fixture_free(struct fixture *f)
{
    if (f->channel) {
        channel_free(f->channel);
    }
    bus_pool_fini(f->bus.pools);
    bus_request_free_all(&f->bus);
    bus_event_fini(&f->bus);
    bus_rule_fini(&f->bus);
    free(f->bus.pools);
    conf_tree_free(f->core.tree);
    event_del(&f->bus.master_readable);
    event_base_free(f->bus.base);
    close(f->master);
    close(f->start.channel);
    free(f);
}

/* The worker in the bus's table. */
static struct bus_worker *worker(struct fixture *f)
{
    return &f->bus.pools->workers[0];
}

static void turn(struct fixture *f)
{
    for (int i = 0; i < 6; i++) {
        event_base_loop(f->bus.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        bus_lifecycle_end_turn(&f->bus);
    }
}

/* Turns until `*what` is `value`. */
static void turn_until(struct fixture *f, const int *what, int value)
{
    uint64_t end = clock_now() + WAIT_MS * CLOCK_NS_PER_MS;
    while (*what != value && clock_now() < end) {
        event_base_loop(f->bus.base, EVLOOP_ONCE);
        bus_lifecycle_end_turn(&f->bus);
    }
    assert_int_equal(*what, value);
}

/* The master forks a worker: the test itself. */
static void start_worker(struct fixture *f)
{
    struct control message = {.type = CONTROL_WORKER_NEW, .incarnation = ++f->incarnation, .pid = getpid()};
    struct error err;
    int fds[2];

    assert_int_equal(channel_pair(fds, &err), 0);
    assert_int_equal(control_send(f->master, &message, fds[0]), 0);
    close(fds[0]);
    turn(f);
    assert_int_equal(channel_new_worker(&f->channel, fds[1], WAIT_MS, &err), 0);
}

static void say_bytes(struct fixture *f, const void *bytes, size_t len)
{
    int code;
    char *room = channel_reserve(f->channel, len, &code);
    assert_non_null(room);
    memcpy(room, bytes, len);
    channel_commit(f->channel);
    assert_int_equal(channel_flush(f->channel), 0);
}

static void say(struct fixture *f, const struct frame *frame)
{
    size_t size = frame_size(frame);
    char *bytes = malloc(size);
    assert_non_null(bytes);
    frame_encode(frame, bytes);
    say_bytes(f, bytes, size);
    free(bytes);
}

static void say_type(struct fixture *f, enum frame_type type)
{
    struct frame frame = {.type = type};
    say(f, &frame);
}

/* What the worker hears next; FRAME_TYPE_END: nothing. */
static enum frame_type hear(struct fixture *f, struct frame_key *key)
{
    struct channel_message message;
    struct frame frame;
    const char *why;

    if (channel_next(f->channel, &message, &why) != 1) {
        return FRAME_TYPE_END;
    }
    assert_int_equal(frame_decode(&frame, message.data, message.len, &why), 0);
    *key = frame.key;
    channel_release(f->channel, &message);
    return frame.type;
}

/* What the master hears next; CONTROL_TYPE_END: nothing. */
static uint32_t master_hears(struct fixture *f)
{
    struct control message;
    int fd = -1;
    return control_receive(f->master, &message, &fd) == 1 ? message.type : CONTROL_TYPE_END;
}

static void start_ready_worker(struct fixture *f)
{
    start_worker(f);
    say_type(f, FRAME_READY);
    turn(f);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    while (master_hears(f) != CONTROL_TYPE_END) {
    }
}

static void die(struct fixture *f)
{
    channel_free(f->channel);
    f->channel = NULL;
    turn(f);
}

static void reap(struct fixture *f)
{
    struct control message = {.type = CONTROL_WORKER_GONE, .incarnation = f->incarnation, .status = 9};
    assert_int_equal(control_send(f->master, &message, -1), 0);
    turn(f);
    assert_int_equal(worker(f)->state, BUS_WORKER_ABSENT);
}

static void on_response(lpm_response *res, void *arg)
{
    struct outcome *o = arg;
    lpm_slice data = lpm_response_data(res);

    o->calls++;
    o->error = lpm_response_error(res);
    assert_true(data.len < sizeof(o->data));
    memcpy(o->data, data.data, data.len);
    strcpy(o->worker, lpm_response_worker(res));
}

static int enqueue(struct fixture *f, struct outcome *o, int64_t timeout, int64_t retries, uint64_t *ticket)
{
    lpm_header header = {lpm_slice_of(":path"), lpm_slice_of("/x")};
    lpm_enqueue spec = {.size = sizeof(spec),
                        .handler = &f->handler,
                        .headers = &header,
                        .header_count = 1,
                        .data = "ping",
                        .len = 4,
                        .timeout = timeout,
                        .retries = retries,
                        .ticket = ticket};
    memset(o, 0, sizeof(*o));
    o->error = NOT_CALLED;
    return lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, o);
}

static void put(struct fixture *f, struct outcome *o, int64_t retries)
{
    assert_int_equal(enqueue(f, o, LPM_NONE, retries, NULL), 0);
}

static void answer(struct fixture *f, struct frame_key key, const char *text)
{
    struct frame frame = {.type = FRAME_RESPONSE, .key = key, .data = lpm_slice_of(text)};
    say(f, &frame);
}

static void begin(struct fixture *f, struct frame_key key)
{
    channel_show_started(f->channel, key.seq);
    channel_show_running(f->channel, key.seq);
}

static void a_request_is_answered(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o;
    struct frame_key key;

    (void)state;
    put(f, &o, 0);
    turn(f);
    start_ready_worker(f); /* what was queued before there was a worker is sent to it */
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    answer(f, key, "pong");
    turn(f);
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.error, 0);
    assert_string_equal(o.data, "pong");
    assert_string_equal(o.worker, "default/0");
    assert_int_equal(f->bus.waiting, 0);
    fixture_free(f);
}

static void nothing_goes_to_one_that_is_busy_or_runs(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome a, b;
    struct frame_key key;

    (void)state;
    start_ready_worker(f);
    say_type(f, FRAME_BUSY);
    turn(f);
    put(f, &a, 0);
    put(f, &b, 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_TYPE_END);
    say_type(f, FRAME_READY);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_TYPE_END); /* the handler runs: nothing waits behind it */
    channel_show_running(f->channel, 0);
    say_type(f, FRAME_IDLE);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST); /* it came back without an answer: the next may begin */
    fixture_free(f);
}

static void the_requests_of_the_dead(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o[4];
    struct frame_key key[4];

    (void)state;
    start_ready_worker(f);
    worker(f)->pool->loads[0].service = 1000; /* a fast one, so that requests are sent ahead */
    for (int i = 0; i < 4; i++) {
        put(f, &o[i], i == 1 ? 1 : 0);
    }
    turn(f);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(hear(f, &key[i]), FRAME_REQUEST);
    }
    /* 0 is answered, 1 was started and waits, 2 runs, 3 was not started. */
    channel_show_started(f->channel, key[2].seq);
    channel_show_running(f->channel, key[2].seq);
    answer(f, key[0], "done");
    die(f);
    assert_int_equal(o[0].error, 0);
    assert_string_equal(o[0].data, "done");
    assert_int_equal(o[1].calls, 0);
    assert_int_equal(o[2].error, LPM_EWORKER);
    assert_int_equal(o[3].calls, 0);
    assert_int_equal(master_hears(f), CONTROL_WORKER_KILL); /* no channel, so it is not to live */
    assert_int_equal(worker(f)->death.requeued, 1);
    assert_int_equal(worker(f)->death.retried, 1);
    assert_int_equal(worker(f)->death.failed, 1);
    reap(f);

    start_ready_worker(f);
    assert_int_equal(hear(f, &key[1]), FRAME_REQUEST); /* in their old order */
    begin(f, key[1]);
    answer(f, key[1], "one");
    turn(f);
    assert_string_equal(o[1].data, "one");
    assert_int_equal(hear(f, &key[3]), FRAME_REQUEST);
    begin(f, key[3]);
    answer(f, key[3], "three");
    turn(f);
    assert_string_equal(o[3].data, "three");
    for (int i = 0; i < 4; i++) {
        assert_int_equal(o[i].calls, 1);
    }
    fixture_free(f);
}

static void poison_is_not_tried_again(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o;
    struct frame_key key;

    (void)state;
    put(f, &o, 100);
    for (int deaths = 0; deaths < 2; deaths++) {
        assert_int_equal(o.calls, 0);
        start_ready_worker(f);
        assert_int_equal(hear(f, &key), FRAME_REQUEST);
        begin(f, key);
        die(f);
        reap(f);
    }
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.error, LPM_EWORKER);
    fixture_free(f);
}

/* Each lie costs the worker its life, and its request is settled as for any death. */
static void liars(void **state)
{
    static const char *const lies[] = {"short",  "type", "slot",  "seq",    "error",
                                       "header", "busy", "board", "silence"};
    struct frame_key key;

    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct fixture *f = fixture_new();
        struct outcome o;
        char headers[64];
        struct frame frame = {.type = FRAME_RESPONSE};

        print_message("%s\n", lies[i]);
        put(f, &o, 0);
        start_worker(f);
        if (strcmp(lies[i], "busy") != 0) {
            say_type(f, FRAME_READY);
            turn(f);
            assert_int_equal(hear(f, &key), FRAME_REQUEST);
            begin(f, key);
        }
        while (master_hears(f) != CONTROL_TYPE_END) {
        }
        frame.key = key;
        if (strcmp(lies[i], "short") == 0) {
            say_bytes(f, "rubbish", 7);
        } else if (strcmp(lies[i], "type") == 0) {
            say_type(f, FRAME_SOFT_KILL);
        } else if (strcmp(lies[i], "slot") == 0) {
            frame.key.slot = FRAME_SLOT_MAX - 1;
            say(f, &frame);
        } else if (strcmp(lies[i], "seq") == 0) {
            frame.key.seq++;
            say(f, &frame);
        } else if (strcmp(lies[i], "error") == 0) {
            frame.error = LPM_ECANCELED;
            say(f, &frame);
        } else if (strcmp(lies[i], "header") == 0) {
            char *end = frame_header_encode(headers, lpm_slice_of("x"), lpm_slice_of("a\r\nb: c"));
            frame.headers = (lpm_slice){headers, (size_t)(end - headers)};
            frame.header_count = 1;
            say(f, &frame);
        } else if (strcmp(lies[i], "busy") == 0) {
            say_type(f, FRAME_BUSY); /* before it was ever ready */
        } else if (strcmp(lies[i], "board") == 0) {
            struct outcome second;
            channel_show_started(f->channel, key.seq + 1);
            put(f, &second, 0); /* dispatch looks at the board */
            turn(f);
            assert_int_equal(second.calls, 0);
        } else {
            turn(f);
            assert_int_equal(master_hears(f), CONTROL_TYPE_END);
            fixture_free(f);
            continue;
        }
        turn(f);
        assert_int_equal(master_hears(f), CONTROL_WORKER_KILL);
        assert_int_equal(worker(f)->state, BUS_WORKER_GONE);
        if (strcmp(lies[i], "busy") != 0) {
            assert_int_equal(o.calls, 1);
            assert_int_equal(o.error, LPM_EWORKER);
        }
        reap(f);
        fixture_free(f);
    }
}

static void a_deadline_in_the_queue(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o;

    (void)state;
    assert_int_equal(enqueue(f, &o, 1, 0, NULL), 0);
    turn_until(f, &o.calls, 1);
    assert_int_equal(o.error, LPM_ETIMEDOUT);
    assert_int_equal(f->bus.pools->queued, 0);
    fixture_free(f);
}

static void wait_to_hear(struct fixture *f, enum frame_type type, struct frame_key *key)
{
    uint64_t end = clock_now() + WAIT_MS * CLOCK_NS_PER_MS;
    enum frame_type heard;

    while ((heard = hear(f, key)) == FRAME_TYPE_END && clock_now() < end) {
        event_base_loop(f->bus.base, EVLOOP_ONCE);
        bus_lifecycle_end_turn(&f->bus);
    }
    assert_int_equal(heard, type);
}

static void a_forgotten_request_is_taken_back(void **state)
{
    struct fixture *f = fixture_new();
    struct frame_key key, told;
    struct outcome o;

    (void)state;
    start_ready_worker(f);
    assert_int_equal(enqueue(f, &o, 5, 0, NULL), 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    channel_show_running(f->channel, 0);
    say_type(f, FRAME_IDLE);
    turn_until(f, &o.calls, 1);
    assert_int_equal(o.error, LPM_ETIMEDOUT);
    assert_int_equal(worker(f)->pool->loads[0].in_flight, 1); /* its place is not free yet */
    wait_to_hear(f, FRAME_CANCEL, &told);
    assert_int_equal(told.seq, key.seq);
    wait_to_hear(f, FRAME_ABANDON, &told);
    assert_int_equal(told.seq, key.seq);
    struct frame frame = {.type = FRAME_RESPONSE, .key = key, .error = LPM_ECANCELED};
    say(f, &frame);
    turn(f);
    assert_int_equal(worker(f)->pool->loads[0].in_flight, 0);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    assert_int_equal(o.calls, 1);
    fixture_free(f);
}

static void a_handler_that_hangs_costs_the_worker(void **state)
{
    struct fixture *f = fixture_new();
    struct frame_key key;
    struct outcome o;
    uint64_t end = clock_now() + WAIT_MS * CLOCK_NS_PER_MS;

    (void)state;
    start_ready_worker(f);
    assert_int_equal(enqueue(f, &o, 5, 3, NULL), 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    while (worker(f)->state == BUS_WORKER_SERVING && clock_now() < end) {
        event_base_loop(f->bus.base, EVLOOP_ONCE);
        bus_lifecycle_end_turn(&f->bus);
    }
    assert_int_equal(master_hears(f), CONTROL_WORKER_KILL);
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.error, LPM_ETIMEDOUT);
    reap(f);
    assert_int_equal(f->bus.pools->queued, 0); /* nobody waits: its retries are for nothing */
    fixture_free(f);
}

static void cancelling(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome a, b;
    struct frame_key key, told;
    uint64_t first, second;

    (void)state;
    start_ready_worker(f);
    assert_int_equal(enqueue(f, &a, LPM_NONE, 0, &first), 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    assert_int_equal(enqueue(f, &b, LPM_NONE, 0, &second), 0);
    assert_int_equal(lpm_supervisor_cancel(&f->supervisor, second), 0); /* queued: gone */
    assert_int_equal(f->bus.pools->queued, 0);
    assert_int_equal(lpm_supervisor_cancel(&f->supervisor, second), LPM_EDONE);
    assert_int_equal(lpm_supervisor_cancel(&f->supervisor, first), 0); /* sent: told */
    assert_int_equal(lpm_supervisor_cancel(&f->supervisor, first), LPM_EDONE);
    turn(f);
    assert_int_equal(hear(f, &told), FRAME_CANCEL);
    assert_int_equal(told.seq, key.seq);
    answer(f, key, "late");
    turn(f);
    assert_int_equal(a.calls + b.calls, 0);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    assert_int_equal(lpm_supervisor_cancel(&f->supervisor, UINT64_MAX), LPM_EDONE);
    fixture_free(f);
}

/* A worker that does not read: nothing that it has to hear is lost. */
static void a_full_channel(void **state)
{
    enum { MANY = 2000 };
    struct fixture *f = fixture_with(MANY);
    struct outcome *o = calloc(MANY, sizeof(*o));
    uint64_t *tickets = calloc(MANY, sizeof(*tickets));
    char *data = calloc(1, 15000);
    lpm_enqueue spec = {.size = sizeof(spec), .handler = &f->handler, .data = data, .len = 15000};
    struct frame_key key;
    int sent = 0, requests = 0, cancels = 0;

    (void)state;
    assert_true(o && tickets && data);
    start_ready_worker(f);
    spec.timeout = LPM_NONE;
    while (!worker(f)->blocked) {
        assert_in_range(sent, 0, MANY - 1);
        spec.ticket = &tickets[sent];
        assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o[sent]), 0);
        turn(f);
        sent++;
        channel_show_started(f->channel, worker(f)->seq);
    }
    for (int i = 0; i < sent; i++) {
        assert_int_equal(lpm_supervisor_cancel(&f->supervisor, tickets[i]), 0);
    }
    for (int rounds = 0; rounds < 50; rounds++) {
        enum frame_type type;
        while ((type = hear(f, &key)) != FRAME_TYPE_END) {
            requests += type == FRAME_REQUEST;
            cancels += type == FRAME_CANCEL;
        }
        turn(f);
    }
    assert_int_equal(cancels, requests);
    assert_in_range(requests, sent - 1, sent); /* the last may have been cancelled in the queue */
    fixture_free(f);
    free(o);
    free(tickets);
    free(data);
}

static void refusals(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o, last;
    lpm_enqueue spec = {
        .size = sizeof(spec), .handler = &f->handler, .timeout = LPM_DEFAULT, .retries = LPM_DEFAULT};
    lpm_header bad = {lpm_slice_of("X"), lpm_slice_of("")};
    char id[UUID_TEXT_SIZE] = "";

    (void)state;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, NULL, on_response, &o), LPM_EINVAL);
    spec.size = 8;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), LPM_EINVAL);
    spec.size = sizeof(spec);
    spec.handler = NULL;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), LPM_ENOHANDLER);
    spec.handler = &f->handler;
    spec.len = (size_t)FRAME_DATA_MAX + 1;
    spec.data = "";
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), LPM_ETOOBIG);
    spec.len = 0;
    spec.headers = &bad;
    spec.header_count = 1;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), LPM_EINVAL);
    spec.header_count = 0;
    spec.retries = -1;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), LPM_EINVAL);
    spec.retries = LPM_DEFAULT;
    for (int i = 0; i < 8; i++) {
        put(f, &o, 0);
    }
    put(f, &last, 0); /* a worker could still take one of them: the end of the turn tells */
    assert_int_equal(last.calls, 0);
    turn(f);
    assert_int_equal(last.error, LPM_EFULL);
    assert_int_equal(f->bus.pools->queued, 8);
    spec.id = id;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), LPM_EFULL);
    assert_int_equal(strlen(id), 36); /* a refused request has a name too */
    assert_true(lpm_supervisor_retry_after(&f->supervisor, &f->handler) >= 1);
    bus_lifecycle_soft_kill(&f->bus);
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), LPM_ESHUTDOWN);
    fixture_free(f);
}

static void a_degraded_pool_refuses_what_it_cannot_run(void **state)
{
    struct fixture *f = fixture_new();
    struct control message = {.type = CONTROL_POOL_DEGRADED, .until = clock_now() + 5 * CLOCK_NS_PER_S};
    struct outcome waits, late;

    (void)state;
    put(f, &waits, 0);
    assert_int_equal(control_send(f->master, &message, -1), 0);
    turn(f);
    assert_int_equal(waits.error, LPM_ENOWORKER);
    assert_int_equal(enqueue(f, &late, LPM_NONE, 0, NULL), LPM_ENOWORKER);
    assert_in_range(lpm_supervisor_retry_after(&f->supervisor, &f->handler), 4000, 5000);
    message.until = 0;
    assert_int_equal(control_send(f->master, &message, -1), 0);
    turn(f);
    assert_int_equal(enqueue(f, &late, LPM_NONE, 0, NULL), 0);
    fixture_free(f);
}

static void the_queue_is_bounded_by_age(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome a, b;

    (void)state;
    f->conf.queue_timeout = 10;
    put(f, &a, 0);
    put(f, &b, 0);
    turn_until(f, &b.calls, 1);
    assert_int_equal(a.error, LPM_EFULL);
    assert_int_equal(b.error, LPM_EFULL);
    fixture_free(f);
}

static void soft_kill_answers_and_sends_home(void **state)
{
    struct fixture *f = fixture_new();
    struct control message = {.type = CONTROL_SOFT_KILL};
    struct outcome o;
    struct frame_key key, none;

    (void)state;
    start_ready_worker(f);
    put(f, &o, 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    assert_int_equal(control_send(f->master, &message, -1), 0);
    turn(f);
    assert_int_equal(hear(f, &none), FRAME_DRAIN);
    assert_int_equal(hear(f, &none), FRAME_TYPE_END);
    answer(f, key, "last");
    turn(f);
    assert_string_equal(o.data, "last");
    assert_int_equal(master_hears(f), CONTROL_RELEASED);
    assert_int_equal(hear(f, &none), FRAME_SOFT_KILL);
    assert_false(f->bus.over);
    die(f);
    reap(f);
    assert_true(f->bus.over);
    assert_int_equal(f->bus.status, 0);
    fixture_free(f);
}

static void without_a_master_it_ends(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    close(f->master);
    f->master = dup(f->start.channel); /* so that there is something to close */
    turn(f);
    assert_true(f->bus.over);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(nothing_goes_to_one_that_is_busy_or_runs),
        cmocka_unit_test(the_requests_of_the_dead),
        cmocka_unit_test(poison_is_not_tried_again),
        cmocka_unit_test(liars),
        cmocka_unit_test(a_deadline_in_the_queue),
        cmocka_unit_test(a_forgotten_request_is_taken_back),
        cmocka_unit_test(a_handler_that_hangs_costs_the_worker),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(a_full_channel),
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_degraded_pool_refuses_what_it_cannot_run),
        cmocka_unit_test(the_queue_is_bounded_by_age),
        cmocka_unit_test(soft_kill_answers_and_sends_home),
        cmocka_unit_test(without_a_master_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
