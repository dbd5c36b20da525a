/*
 * The ends of workers: each of their requests has one outcome, and runs no more often than it may.
 */
#include "bus_fixture.h"

#include "bus/bus_end.h"

/* So that requests are sent ahead. */
static void make_fast(struct fixture *f)
{
    worker(f)->pool->dispatch.loads[0].service = 1000;
}

static void send_three(struct fixture *f, struct outcome o[3], struct frame_key key[3], int64_t retries)
{
    start_ready_worker(f);
    make_fast(f);
    for (int i = 0; i < 3; i++) {
        put(f, &o[i], retries);
    }
    turn(f);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hear(f, &key[i]), FRAME_REQUEST);
    }
}

/* Between the kill and its death it goes on: what it starts then has been started. */
static void one_that_is_killed_still_runs(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o[3];
    struct frame_key key[3];

    (void)state;
    send_three(f, o, key, 0);
    begin(f, key[0]);
    say_bytes(f, "rubbish", 7);
    turn(f);
    assert_int_equal(worker(f)->state, BUS_WORKER_GONE);
    assert_int_equal(o[0].error, LPM_EWORKER);
    assert_int_equal(o[1].calls + o[2].calls, 0);
    begin(f, key[1]);
    reap(f);
    assert_int_equal(o[1].error, LPM_EWORKER);
    assert_int_equal(o[2].calls, 0);
    assert_int_equal(f->bus.pools->queue.sum.count, 1);
    assert_int_equal(f->bus.waiting, 1);
    channel_free(f->channel);
    f->channel = NULL;
    start_ready_worker(f);
    assert_int_equal(hear(f, &key[2]), FRAME_REQUEST);
    assert_int_equal(hear(f, &key[2]), FRAME_TYPE_END);
    fixture_free(f);
}

/* It sees at its next answer that nobody listens. */
static void one_that_is_killed_is_cut_off(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o[3];
    struct frame_key key[3];
    char *room;
    int code;

    (void)state;
    send_three(f, o, key, 0);
    bus_end_kill(worker(f), "the test wants it");
    room = channel_reserve(f->channel, 100, &code);
    assert_non_null(room);
    memset(room, 0, 100);
    channel_commit(f->channel);
    assert_int_equal(channel_flush(f->channel), LPM_EIO);
    fixture_free(f);
}

static void one_that_cannot_die(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o[3];
    struct frame_key key[3];
    uint64_t end = clock_now() + WAIT_MS * CLOCK_NS_PER_MS;

    (void)state;
    send_three(f, o, key, 0);
    begin(f, key[0]);
    die(f);
    assert_int_equal(f->bus.pools->queue.sum.count, 0);
    while (f->bus.pools->queue.sum.count == 0 && clock_now() < end) {
        turn_for(f, BUS_WORKER_ABSENT, 10);
    }
    assert_int_equal(f->bus.pools->queue.sum.count, 2);
    assert_int_equal(worker(f)->state, BUS_WORKER_GONE);
    reap(f);
    assert_int_equal(f->bus.pools->queue.sum.count, 2);
    fixture_free(f);
}

static void limits_go_on_while_it_is_not_dead(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome timed, cancelled;
    struct frame_key key;
    uint64_t ticket;

    (void)state;
    start_ready_worker(f);
    make_fast(f);
    assert_int_equal(enqueue(f, &timed, LONG_MS, 1, NULL), 0);
    assert_int_equal(enqueue(f, &cancelled, LONG_MS, 1, &ticket), 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    die(f);
    assert_int_equal(timed.calls, 0);
    assert_int_equal(lpm_supervisor_cancel(&f->supervisor, ticket), 0);
    expire(f, 0);
    expire(f, 1);
    turn_until(f, &timed.calls, 1);
    assert_int_equal(timed.error, LPM_ETIMEDOUT);
    turn_for(f, BUS_WORKER_ABSENT, 2 * 20); /* kill_after passes, too */
    reap(f);
    assert_int_equal(timed.calls, 1);
    assert_int_equal(cancelled.calls, 0);
    assert_int_equal(f->bus.pools->queue.sum.count, 0);
    assert_int_equal(f->bus.waiting, 0);
    fixture_free(f);
}

static void a_handler_that_answers_and_hangs(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o;
    struct frame_key key;

    (void)state;
    start_ready_worker(f);
    assert_int_equal(enqueue(f, &o, LONG_MS, 0, NULL), 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    worker(f)->slots[key.slot]->deadline = clock_now();
    answer(f, key, "pong");
    turn_until(f, &o.calls, 1);
    assert_int_equal(o.error, 0);
    turn_for(f, BUS_WORKER_GONE, WAIT_MS);
    assert_int_equal(worker(f)->state, BUS_WORKER_GONE);
    assert_int_equal(master_hears(f), CONTROL_WORKER_ABORT);
    fixture_free(f);
}

static void a_handler_that_answers_and_returns(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o;
    struct frame_key key;

    (void)state;
    f->conf.kill_after = 300;
    start_ready_worker(f);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(enqueue(f, &o, LONG_MS, 0, NULL), 0);
        turn(f);
        assert_int_equal(hear(f, &key), FRAME_REQUEST);
        begin(f, key);
        worker(f)->slots[key.slot]->deadline = clock_now();
        answer(f, key, "pong");
        turn_until(f, &o.calls, 1);
        channel_show_running(f->channel, 0);
    }
    turn_for(f, BUS_WORKER_GONE, 400);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    fixture_free(f);
}

/* Nothing runs for a moment, when kill_after passes of a request behind others. */
static void between_two_handlers(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome first, second;
    struct frame_key key[2];
    struct bus_request *behind;
    uint64_t end = clock_now() + WAIT_MS * CLOCK_NS_PER_MS;

    (void)state;
    start_ready_worker(f);
    make_fast(f);
    put(f, &first, 0);
    assert_int_equal(enqueue(f, &second, LONG_MS, 0, NULL), 0);
    turn(f);
    assert_int_equal(hear(f, &key[0]), FRAME_REQUEST);
    assert_int_equal(hear(f, &key[1]), FRAME_REQUEST);
    begin(f, key[0]);
    channel_show_running(f->channel, 0);
    behind = worker(f)->slots[key[1].slot];
    expire(f, key[1].slot);
    while (!behind->suspected && clock_now() < end) {
        event_base_loop(f->bus.base, EVLOOP_ONCE);
        bus_lifecycle_end_turn(&f->bus);
    }
    assert_true(behind->suspected);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    begin(f, key[1]);
    answer(f, key[1], "late");
    channel_show_running(f->channel, 0);
    turn_for(f, BUS_WORKER_GONE, 200);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    fixture_free(f);
}

static void one_that_stopped(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o;

    (void)state;
    start_ready_worker(f);
    assert_int_equal(enqueue(f, &o, LONG_MS, 0, NULL), 0);
    turn(f);
    expire(f, 0);
    turn_for(f, BUS_WORKER_GONE, WAIT_MS);
    assert_int_equal(worker(f)->state, BUS_WORKER_GONE);
    assert_int_equal(o.error, LPM_ETIMEDOUT);
    fixture_free(f);
}

/* Fills the channel to a worker that does not read. */
static void fill(struct fixture *f)
{
    struct frame frame = {.type = FRAME_DRAIN};
    char *data = calloc(1, 15000);

    assert_non_null(data);
    while (list_empty(&worker(f)->outbox)) {
        assert_int_equal(lpm_supervisor_broadcast(&f->supervisor, NULL, "e", data, 15000, 0), 1);
    }
    while (bus_worker_put(worker(f), &frame, NULL, 0) == 0) {
    }
    free(data);
}

/* A request was forgotten and its worker does not read: it hears of it when it does ... */
static void giving_up_over_a_full_channel(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o;
    struct frame_key key, told;
    struct bus_request *req;
    unsigned cancels = 0, abandons = 0;
    uint64_t end = clock_now() + WAIT_MS * CLOCK_NS_PER_MS;

    (void)state;
    f->conf.kill_after = 300;
    start_ready_worker(f);
    assert_int_equal(enqueue(f, &o, LONG_MS, 0, NULL), 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    channel_show_running(f->channel, 0);
    fill(f);
    expire(f, key.slot);
    req = worker(f)->slots[key.slot];
    while (!req->asked_back && clock_now() < end) {
        event_base_loop(f->bus.base, EVLOOP_ONCE);
        bus_lifecycle_end_turn(&f->bus);
    }
    assert_true(req->owes_cancel && req->owes_abandon);
    for (int i = 0; i < 100; i++) {
        enum frame_type type;
        while ((type = hear(f, &told)) != FRAME_TYPE_END) {
            cancels += type == FRAME_CANCEL;
            abandons += type == FRAME_ABANDON;
        }
        turn(f);
    }
    assert_int_equal(cancels, 1);
    assert_int_equal(abandons, 1);
    fixture_free(f);
}

/* ... or is killed when it never does. */
static void one_that_does_not_read(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o;
    struct frame_key key;

    (void)state;
    start_ready_worker(f);
    assert_int_equal(enqueue(f, &o, LONG_MS, 0, NULL), 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    channel_show_running(f->channel, 0);
    fill(f);
    expire(f, key.slot);
    turn_for(f, BUS_WORKER_GONE, WAIT_MS);
    assert_int_equal(worker(f)->state, BUS_WORKER_GONE);
    fixture_free(f);
}

/* A callback that cancels its neighbours and enqueues, in the midst of the settlement. */
struct meddler {
    struct fixture *f;
    uint64_t tickets[4];
    int calls;
    struct outcome fresh;
};

static void on_meddle(lpm_response *res, void *arg)
{
    struct meddler *m = arg;

    assert_int_equal(lpm_response_error(res), LPM_EWORKER);
    m->calls++;
    for (int i = 0; i < 4; i++) {
        lpm_supervisor_cancel(&m->f->supervisor, m->tickets[i]);
    }
    put(m->f, &m->fresh, 0);
}

static void a_callback_meddles(void **state)
{
    struct fixture *f = fixture_new();
    struct meddler m = {.f = f};
    lpm_enqueue spec = {
        .size = sizeof(spec), .handler = &f->handler, .timeout = LPM_NONE, .data = "x", .len = 1};
    struct frame_key key;

    (void)state;
    start_ready_worker(f);
    make_fast(f);
    for (int i = 0; i < 4; i++) {
        spec.ticket = &m.tickets[i];
        spec.retries = i == 1;
        assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_meddle, &m), 0);
    }
    turn(f);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hear(f, &key), FRAME_REQUEST);
    }
    begin(
        f,
        key); /* the first and the third have no outcome but this, the second a retry, the fourth was not begun */
    die(f);
    reap(f);
    assert_int_equal(m.calls, 1);
    assert_int_equal(m.fresh.calls, 0);
    assert_int_equal(f->bus.waiting, 1);
    assert_int_equal(f->bus.pools->queue.sum.count, 1);
    fixture_free(f);
}

/* What came with a request was let go when it had started; a board that takes that back is not believed. */
static void a_board_goes_backwards(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o = {.error = NOT_CALLED};
    lpm_enqueue spec = {.size = sizeof(spec), .handler = &f->handler, .timeout = LPM_NONE, .retries = 3};
    struct frame_key key;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    spec.stream = fds[0];
    start_ready_worker(f);
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    turn(f);
    assert_int_equal(worker(f)->slots[key.slot]->stream, -1);
    channel_show_started(f->channel, 0);
    die(f);
    reap(f);
    assert_int_equal(o.error, LPM_EWORKER);
    close(fds[1]);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_killed_still_runs),
        cmocka_unit_test(one_that_is_killed_is_cut_off),
        cmocka_unit_test(one_that_cannot_die),
        cmocka_unit_test(limits_go_on_while_it_is_not_dead),
        cmocka_unit_test(a_handler_that_answers_and_hangs),
        cmocka_unit_test(a_handler_that_answers_and_returns),
        cmocka_unit_test(between_two_handlers),
        cmocka_unit_test(one_that_stopped),
        cmocka_unit_test(giving_up_over_a_full_channel),
        cmocka_unit_test(one_that_does_not_read),
        cmocka_unit_test(a_callback_meddles),
        cmocka_unit_test(a_board_goes_backwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
