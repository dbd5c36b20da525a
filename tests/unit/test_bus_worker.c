/*
 * The bus's requests and workers, with the test in the place of the master, of the ingress module and of a worker: one
 * that answers, forgets, lies, sends rubbish and dies.
 */
#include "bus_fixture.h"

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

/* What an answer says of itself, by its status, is what dispatch knows of how much the worker fails. */
static void failures_are_counted(void **state)
{
    static const struct {
        const char *name, *value;
        bool failure;
    } cases[] = {{":status", "200", false},
                 {":status", "404", false},
                 {":status", "503", true},
                 {"status", "500", false},
                 {":status", "", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = fixture_new();
        struct outcome o;
        struct frame_key key;
        char header[64];
        lpm_slice name = lpm_slice_of(cases[i].name), value = lpm_slice_of(cases[i].value);
        struct frame frame = {.type = FRAME_RESPONSE, .header_count = 1, .headers = {header, 0}};

        start_ready_worker(f);
        put(f, &o, 0);
        turn(f);
        assert_int_equal(hear(f, &key), FRAME_REQUEST);
        begin(f, key);
        channel_show_running(f->channel, 0);
        frame.key = key;
        frame.headers.len = (size_t)(frame_header_encode(header, name, value) - header);
        say(f, &frame);
        turn(f);
        assert_int_equal(o.calls, 1);
        assert_int_equal(bus_worker_load(worker(f))->failures > 0, cases[i].failure);
        fixture_free(f);
    }
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
    worker(f)->pool->dispatch.loads[0].service = 1000; /* a fast one, so that requests are sent ahead */
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
    assert_int_equal(worker(f)->death.failed, 1);
    assert_int_equal(f->bus.pools->queue.sum.count, 0); /* while it may still run, nobody else gets its requests */
    reap(f);
    assert_int_equal(worker(f)->death.requeued, 1);
    assert_int_equal(worker(f)->death.retried, 1);

    start_ready_worker(f);
    assert_int_equal(hear(f, &key[1]), FRAME_REQUEST); /* in their old order */
    begin(f, key[1]);
    answer(f, key[1], "one");
    channel_show_running(f->channel, 0);
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
    struct frame_key key = {0};

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
    assert_int_equal(f->bus.pools->queue.sum.count, 0);
    fixture_free(f);
}

static void a_forgotten_request_is_taken_back(void **state)
{
    struct fixture *f = fixture_new();
    struct frame_key key, told;
    struct outcome o;

    (void)state;
    start_ready_worker(f);
    assert_int_equal(enqueue(f, &o, LONG_MS, 0, NULL), 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    channel_show_running(f->channel, 0);
    say_type(f, FRAME_IDLE);
    expire(f, key.slot);
    turn_until(f, &o.calls, 1);
    assert_int_equal(o.error, LPM_ETIMEDOUT);
    assert_int_equal(worker(f)->pool->dispatch.loads[0].in_flight, 1); /* its place is not free yet */
    wait_to_hear(f, FRAME_CANCEL, &told);
    assert_int_equal(told.seq, key.seq);
    wait_to_hear(f, FRAME_ABANDON, &told);
    assert_int_equal(told.seq, key.seq);
    struct frame frame = {.type = FRAME_RESPONSE, .key = key, .error = LPM_ECANCELED};
    say(f, &frame);
    turn(f);
    assert_int_equal(worker(f)->pool->dispatch.loads[0].in_flight, 0);
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
    assert_int_equal(enqueue(f, &o, LONG_MS, 3, NULL), 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    expire(f, key.slot);
    while (worker(f)->state == BUS_WORKER_SERVING && clock_now() < end) {
        event_base_loop(f->bus.base, EVLOOP_ONCE);
        bus_lifecycle_end_turn(&f->bus);
    }
    assert_int_equal(master_hears(f), CONTROL_WORKER_ABORT);
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.error, LPM_ETIMEDOUT);
    reap(f);
    assert_int_equal(f->bus.pools->queue.sum.count, 0); /* nobody waits: its retries are for nothing */
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
    assert_int_equal(f->bus.pools->queue.sum.count, 0);
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

/* Without a time limit, a handler may run on; when it is back and has not answered, its place is given up. */
static void cancelled_without_a_time_limit(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o;
    struct frame_key key, told;
    uint64_t ticket;

    (void)state;
    start_ready_worker(f);
    assert_int_equal(enqueue(f, &o, LPM_NONE, 0, &ticket), 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    assert_int_equal(lpm_supervisor_cancel(&f->supervisor, ticket), 0);
    wait_to_hear(f, FRAME_CANCEL, &told);
    turn_for(f, BUS_WORKER_GONE, 5 * (uint64_t)f->conf.kill_after);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    assert_int_equal(hear(f, &told), FRAME_TYPE_END);
    channel_show_running(f->channel, 0);
    wait_to_hear(f, FRAME_ABANDON, &told);
    assert_int_equal(told.seq, key.seq);
    struct frame frame = {.type = FRAME_RESPONSE, .key = key, .error = LPM_ECANCELED};
    say(f, &frame);
    turn(f);
    assert_int_equal(worker(f)->pool->dispatch.loads[0].in_flight, 0);
    assert_int_equal(o.calls, 0);
    fixture_free(f);
}

/* With one, it has until then, whoever hung up before. */
static void cancelled_with_a_time_limit(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o;
    struct frame_key key, told;
    uint64_t ticket;

    (void)state;
    start_ready_worker(f);
    assert_int_equal(enqueue(f, &o, LONG_MS, 0, &ticket), 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    assert_int_equal(lpm_supervisor_cancel(&f->supervisor, ticket), 0);
    wait_to_hear(f, FRAME_CANCEL, &told);
    turn_for(f, BUS_WORKER_GONE, 5 * (uint64_t)f->conf.kill_after);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    worker(f)->slots[key.slot]->deadline = clock_now();
    turn_for(f, BUS_WORKER_GONE, WAIT_MS);
    assert_int_equal(worker(f)->state, BUS_WORKER_GONE);
    assert_int_equal(o.calls, 0);
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
    assert_int_equal(f->bus.pools->queue.sum.count, 8);
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
        cmocka_unit_test(failures_are_counted),
        cmocka_unit_test(nothing_goes_to_one_that_is_busy_or_runs),
        cmocka_unit_test(the_requests_of_the_dead),
        cmocka_unit_test(poison_is_not_tried_again),
        cmocka_unit_test(liars),
        cmocka_unit_test(a_deadline_in_the_queue),
        cmocka_unit_test(a_forgotten_request_is_taken_back),
        cmocka_unit_test(a_handler_that_hangs_costs_the_worker),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(cancelled_without_a_time_limit),
        cmocka_unit_test(cancelled_with_a_time_limit),
        cmocka_unit_test(a_full_channel),
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_degraded_pool_refuses_what_it_cannot_run),
        cmocka_unit_test(the_queue_is_bounded_by_age),
        cmocka_unit_test(soft_kill_answers_and_sends_home),
        cmocka_unit_test(without_a_master_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
