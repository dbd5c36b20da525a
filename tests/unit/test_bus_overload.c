/*
 * A full queue in the bus: who is refused, with which error, and who goes first.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bus_fixture.h"

static const lpm_module module_1_2 = {.name = "m", .request = handle, .needs = 2};

struct wish {
    int32_t priority;
    const char *client;
    int64_t timeout;
};

static int ask(struct fixture *f, struct outcome *o, struct wish wish)
{
    lpm_enqueue spec = {.size = sizeof(spec),
                        .handler = &f->handler,
                        .timeout = wish.timeout ? wish.timeout : LPM_NONE,
                        .priority = wish.priority,
                        .client = lpm_slice_of(wish.client ? wish.client : "")};

    *o = (struct outcome){.error = NOT_CALLED};
    return lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, o);
}

#define ASK(o, ...) ask(f, o, (struct wish){__VA_ARGS__})

static struct fixture *overload_new(int64_t limit)
{
    struct fixture *f = fixture_with(1);

    f->supervisor.module = &module_1_2;
    f->conf.queue_limit = limit;
    return f;
}

static void a_module_is_told_what_it_knows(void **state)
{
    struct fixture *f = overload_new(1);
    struct outcome first, second, third;

    (void)state;
    for (int old = 0; old < 2; old++) {
        f->supervisor.module = old ? &module : &module_1_2;
        assert_int_equal(ASK(&first, .priority = LPM_PRIORITY_NORMAL), 0);
        assert_int_equal(ASK(&second, .priority = LPM_PRIORITY_NORMAL), 0);
        turn(f);
        assert_int_equal(first.calls, 0);
        assert_int_equal(second.error, old ? LPM_EFULL : LPM_ESHED);
        assert_int_equal(ASK(&third, .priority = LPM_PRIORITY_NORMAL), old ? LPM_EFULL : LPM_ESHED);
        assert_true(lpm_supervisor_retry_after(&f->supervisor, &f->handler) >= 1);
        assert_int_equal(f->bus.pools->shed[BUS_SHED_FULL], 2 + 2 * old);
        bus_pool_refuse_all(f->bus.pools, LPM_ENOWORKER, "");
        turn(f);
    }
    fixture_free(f);
}

static void an_older_module_has_no_priority(void **state)
{
    struct fixture *f = overload_new(8);
    lpm_enqueue spec = {.size = offsetof(lpm_enqueue, priority),
                        .handler = &f->handler,
                        .timeout = LPM_NONE,
                        .priority = 12345,
                        .reserved = 1,
                        .client = {NULL, 7}};
    struct outcome o;

    (void)state;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), 0);
    assert_int_equal(f->bus.pools->queue.sum.levels[BUS_QUEUE_NORMAL].count, 1);
    assert_int_equal(f->bus.pools->share.clients, 0);
    spec.size = sizeof(spec);
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), LPM_EINVAL);
    spec.priority = LPM_PRIORITY_HIGH;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), LPM_EINVAL);
    spec.reserved = 0;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), LPM_EINVAL);
    turn(f);
    spec.client.data = "1234567";
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), 0);
    assert_int_equal(f->bus.pools->queue.sum.levels[BUS_QUEUE_HIGH].count, 1);
    assert_int_equal(f->bus.pools->share.clients, 1);
    fixture_free(f);
}

static void the_higher_priority_goes_first(void **state)
{
    struct fixture *f = overload_new(8);
    struct outcome low, normal, high;
    struct outcome *const order[] = {&high, &normal, &low};
    struct frame_key key;

    (void)state;
    assert_int_equal(ASK(&low, .priority = LPM_PRIORITY_LOW), 0);
    assert_int_equal(ASK(&normal, .priority = LPM_PRIORITY_NORMAL), 0);
    assert_int_equal(ASK(&high, .priority = LPM_PRIORITY_HIGH), 0);
    start_ready_worker(f);
    for (size_t i = 0; i < 3; i++) {
        wait_to_hear(f, FRAME_REQUEST, &key);
        begin(f, key);
        answer_and_return(f, key, "x");
        turn_until(f, &order[i]->calls, 1);
        assert_int_equal(order[i]->error, 0);
    }
    fixture_free(f);
}

static void a_higher_priority_takes_the_place_of_the_last_lower_one(void **state)
{
    struct fixture *f = overload_new(3);
    struct outcome low[2], normal, high[3], other;

    (void)state;
    assert_int_equal(ASK(&low[0], .priority = LPM_PRIORITY_LOW), 0);
    assert_int_equal(ASK(&low[1], .priority = LPM_PRIORITY_LOW), 0);
    assert_int_equal(ASK(&normal, .priority = LPM_PRIORITY_NORMAL), 0);
    turn(f);
    assert_int_equal(ASK(&other, .priority = LPM_PRIORITY_LOW), LPM_ESHED);
    assert_int_equal(ASK(&high[0], .priority = LPM_PRIORITY_HIGH), 0);
    assert_int_equal(low[1].calls, 0); /* not from within the call */
    turn(f);
    assert_int_equal(low[1].error, LPM_ESHED);
    assert_int_equal(low[0].calls + normal.calls, 0);
    assert_int_equal(ASK(&high[1], .priority = LPM_PRIORITY_HIGH), 0);
    assert_int_equal(ASK(&high[2], .priority = LPM_PRIORITY_HIGH), 0);
    turn(f);
    assert_int_equal(low[0].error, LPM_ESHED);
    assert_int_equal(normal.error, LPM_ESHED);
    assert_int_equal(ASK(&other, .priority = LPM_PRIORITY_HIGH), LPM_ESHED);
    assert_int_equal(f->bus.pools->queue.sum.count, 3);
    fixture_free(f);
}

static void bytes_are_bounded_by_priority_too(void **state)
{
    static char data[600];
    struct fixture *f = overload_new(8);
    struct outcome o[4];
    lpm_enqueue spec = {.size = sizeof(spec),
                        .handler = &f->handler,
                        .timeout = LPM_NONE,
                        .data = data,
                        .len = sizeof(data),
                        .priority = LPM_PRIORITY_LOW};

    (void)state;
    memset(o, 0, sizeof(o));
    f->conf.queue_bytes = 1000;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o[0]), 0);
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o[1]), LPM_ESHED);
    spec.priority = LPM_PRIORITY_NORMAL;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o[2]), 0);
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o[3]), LPM_ESHED);
    turn(f);
    assert_int_equal(o[0].error, LPM_ESHED);
    assert_int_equal(o[2].calls, 0);
    assert_int_equal(f->bus.queued.bytes, 600);
    fixture_free(f);
}

static void all_pools_together_are_bounded(void **state)
{
    struct fixture *f = overload_new(8);
    struct outcome o[4];

    (void)state;
    f->core.queue_total_limit = 2;
    assert_int_equal(ASK(&o[0], .priority = LPM_PRIORITY_LOW), 0);
    assert_int_equal(ASK(&o[1], .priority = LPM_PRIORITY_NORMAL), 0);
    assert_int_equal(ASK(&o[2], .priority = LPM_PRIORITY_NORMAL), 0);
    turn(f);
    assert_int_equal(o[0].error, LPM_ESHED);
    assert_int_equal(ASK(&o[3], .priority = LPM_PRIORITY_NORMAL), LPM_ESHED);
    f->core.queue_total_limit = LPM_NONE;
    f->core.queue_total_bytes = 1;
    assert_int_equal(enqueue(f, &o[3], LPM_NONE, 0, NULL), LPM_ESHED);
    fixture_free(f);
}

/* Twenty wait, and one leaves each 10 ms. */
static void what_would_wait_in_vain_is_refused_at_once(void **state)
{
    struct fixture *f = overload_new(100);
    struct bus_pool *pool = f->bus.pools;
    struct outcome o[24];

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ASK(&o[i], .priority = LPM_PRIORITY_NORMAL), 0);
    }
    turn(f);
    assert_int_equal(ASK(&o[20], .timeout = 50), 0); /* nothing is known */
    pool->drain.gap = 10 * CLOCK_NS_PER_MS;
    assert_int_equal(ASK(&o[21], .timeout = 50), LPM_ESHED);
    assert_int_equal(ASK(&o[21], .priority = LPM_PRIORITY_HIGH, .timeout = 50), 0); /* nobody is before it */
    assert_int_equal(ASK(&o[22], .timeout = LONG_MS), 0);
    assert_int_equal(ASK(&o[23], .priority = LPM_PRIORITY_NORMAL), 0);
    f->conf.queue_timeout = 100;
    assert_int_equal(ASK(&o[23], .priority = LPM_PRIORITY_NORMAL), LPM_ESHED);
    assert_int_equal(pool->shed[BUS_SHED_HOPELESS], 2);
    assert_in_range(lpm_supervisor_retry_after(&f->supervisor, &f->handler), 230, 250);
    f->conf.queue_timeout = LPM_NONE;
    fixture_free(f);
}

static void nobody_has_more_than_his_share(void **state)
{
    struct fixture *f = overload_new(16);
    struct outcome o[40];
    unsigned hog = 0, other = 0, unknown = 0;

    (void)state;
    for (int i = 0; i < 20; i++) {
        hog += ASK(&o[i], .client = "hog") == 0;
        turn(f);
    }
    assert_int_equal(hog, 8);
    for (int i = 20; i < 24; i++) {
        other += ASK(&o[i], .client = "other") == 0;
        turn(f);
    }
    assert_int_equal(other, 4);
    for (int i = 24; i < 40; i++) {
        unknown += ASK(&o[i], .priority = LPM_PRIORITY_NORMAL) == 0;
        turn(f);
    }
    assert_int_equal(unknown, 4); /* nobody's have no share, only the queue's bound */
    assert_int_equal(f->bus.pools->shed[BUS_SHED_UNFAIR], 12);
    fixture_free(f);
}

static void the_wait_is_measured(void **state)
{
    struct fixture *f = overload_new(16);
    struct outcome o;
    struct frame_key key;

    (void)state;
    assert_true(bus_pool_queue_wait(f->bus.pools) == 0);
    assert_int_equal(ASK(&o, .priority = LPM_PRIORITY_NORMAL), 0);
    turn_for(f, BUS_WORKER_SERVING, 20);
    assert_true(bus_pool_queue_wait(f->bus.pools) >= 20 * CLOCK_NS_PER_MS);
    start_ready_worker(f);
    wait_to_hear(f, FRAME_REQUEST, &key);
    assert_in_range(bus_pool_queue_wait(f->bus.pools), 20 * CLOCK_NS_PER_MS / 8, LONG_MS * CLOCK_NS_PER_MS);
    f->bus.pools->wait_at -= 2 * CLOCK_NS_PER_S;
    assert_true(bus_pool_queue_wait(f->bus.pools) == 0);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_module_is_told_what_it_knows),
        cmocka_unit_test(an_older_module_has_no_priority),
        cmocka_unit_test(the_higher_priority_goes_first),
        cmocka_unit_test(a_higher_priority_takes_the_place_of_the_last_lower_one),
        cmocka_unit_test(bytes_are_bounded_by_priority_too),
        cmocka_unit_test(all_pools_together_are_bounded),
        cmocka_unit_test(what_would_wait_in_vain_is_refused_at_once),
        cmocka_unit_test(nobody_has_more_than_his_share),
        cmocka_unit_test(the_wait_is_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
