/*
 * What modules may do in their callbacks, and what workers may do to the loop: the bus goes on for everybody.
 */
#include "bus_fixture.h"

/* Enqueues again whatever failed, from within the callback. */
struct again {
    struct fixture *f;
    int calls, refused, limit;
    int error; /* of the last outcome */
};

static int enqueue_again(struct again *a);

static void on_failure(lpm_response *res, void *arg)
{
    struct again *a = arg;

    a->calls++;
    a->error = lpm_response_error(res);
    if (a->error != 0 && a->calls < a->limit) {
        a->refused += enqueue_again(a) != 0;
    }
}

static int enqueue_again(struct again *a)
{
    lpm_enqueue spec = {.size = sizeof(spec), .handler = &a->f->handler, .timeout = LPM_NONE, .retries = 0};
    return lpm_supervisor_enqueue(&a->f->supervisor, &spec, on_failure, a);
}

static void one_too_old_is_enqueued_again(void **state)
{
    struct fixture *f = fixture_new();
    struct again a = {.f = f, .limit = 1000};
    uint64_t begun = clock_now();

    (void)state;
    f->conf.queue_timeout = 10;
    assert_int_equal(enqueue_again(&a), 0);
    turn_until(f, &a.calls, 1);
    turn(f);
    assert_int_equal(a.error, LPM_EFULL);
    assert_true(a.calls == 1 || clock_now() - begun >= 20 * CLOCK_NS_PER_MS);
    assert_int_equal(f->bus.pools->queue.sum.count, 1); /* its time begins anew */
    fixture_free(f);
}

static void one_too_many_is_enqueued_again(void **state)
{
    struct fixture *f = fixture_new();
    struct again a = {.f = f, .limit = 1000};

    (void)state;
    f->conf.queue_limit = 1;
    assert_int_equal(enqueue_again(&a), 0);
    assert_int_equal(enqueue_again(&a), 0); /* in the same turn */
    turn(f);
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.refused, 1);
    assert_int_equal(f->bus.pools->queue.sum.count, 1);
    fixture_free(f);
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (*(int *)arg)++;
}

static void on_resized(int error, void *arg)
{
    struct again *a = arg;

    assert_int_equal(error, 0);
    a->limit = 7;
    assert_int_equal(enqueue_again(a), 0);
}

/* What a callback at the end of a turn enqueues is sent without waiting for anything else. */
static void the_end_of_a_turn(void **state)
{
    struct fixture *f = fixture_new();
    struct again a = {.f = f};
    struct timeval later = {2, 0};
    struct frame_key key;
    uint64_t begun;
    int beats = 0;

    (void)state;
    start_ready_worker(f);
    assert_int_equal(f->bus.phase, POLICY_SERVING);
    assert_int_equal(lpm_supervisor_resize(&f->supervisor, NULL, 1, on_resized, &a), 0);
    for (uint64_t end = clock_now() + 2 * CLOCK_NS_PER_S; a.limit == 0 && clock_now() < end;) {
        event_base_loop(f->bus.base, EVLOOP_ONCE);
        bus_lifecycle_end_turn(&f->bus);
    }
    assert_int_equal(a.limit, 7);
    begun = clock_now();
    event_base_once(f->bus.base, -1, EV_TIMEOUT, on_beat, &beats, &later);
    event_base_loop(f->bus.base, EVLOOP_ONCE);
    bus_lifecycle_end_turn(&f->bus);
    assert_true(clock_now() - begun < CLOCK_NS_PER_S);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    fixture_free(f);
}

/* One that never stops sending gets its share of each turn, and no more. */
static void an_endless_sender(void **state)
{
    enum { MANY = 250 };
    struct fixture *f = fixture_new();
    struct frame frame = {.type = FRAME_HEAP};
    uint64_t seen = 0;
    int turns = 0;

    (void)state;
    start_ready_worker(f);
    for (int i = 1; i <= MANY; i++) {
        frame.heap_total = (uint64_t)i;
        say(f, &frame);
    }
    while (seen < MANY && turns < 100) {
        struct timeval at_once = {0, 0};
        int beats = 0;
        event_base_once(f->bus.base, -1, EV_TIMEOUT, on_beat, &beats, &at_once);
        event_base_loop(f->bus.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        bus_lifecycle_end_turn(&f->bus);
        assert_int_equal(beats, 1);
        assert_in_range(worker(f)->heap_total - seen, 0, 128);
        seen = worker(f)->heap_total;
        turns++;
    }
    assert_int_equal(seen, MANY);
    fixture_free(f);
}

/* A turn that took long does not make time limits that were set late in it shorter. */
static void on_late(evutil_socket_t fd, short what, void *arg)
{
    struct again *a = arg;
    lpm_enqueue spec = {.size = sizeof(spec), .handler = &a->f->handler, .timeout = 30, .retries = 0};

    (void)fd;
    (void)what;
    usleep(40000);
    assert_int_equal(lpm_supervisor_enqueue(&a->f->supervisor, &spec, on_failure, a), 0);
}

static void a_deadline_after_a_long_turn(void **state)
{
    struct fixture *f = fixture_new();
    struct again a = {.f = f, .limit = 1};
    struct timeval at_once = {0, 0};
    uint64_t begun;

    (void)state;
    event_base_once(f->bus.base, -1, EV_TIMEOUT, on_late, &a, &at_once);
    event_base_loop(f->bus.base, EVLOOP_ONCE);
    begun = clock_now();
    turn_until(f, &a.calls, 1);
    assert_int_equal(a.error, LPM_ETIMEDOUT);
    assert_true(clock_now() - begun >= 25 * CLOCK_NS_PER_MS);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_too_old_is_enqueued_again),
        cmocka_unit_test(one_too_many_is_enqueued_again),
        cmocka_unit_test(the_end_of_a_turn),
        cmocka_unit_test(an_endless_sender),
        cmocka_unit_test(a_deadline_after_a_long_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
