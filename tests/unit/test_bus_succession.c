/*
 * Workers that leave, and their successors, with the test in the place of the master and of the workers: each reason, each way
 * that a succession may fail, and how many may leave at once.
 */
#include "bus_hands.h"

#include "bus/bus_end.h"
#include "bus/bus_memory.h"
#include "bus/bus_squeeze.h"
#include "os/os_proc.h"

#define LIMIT 1000000u

static void expect_master(struct hands *h, enum control_type type, uint32_t index)
{
    struct control message = {.type = CONTROL_TYPE_END, .index = UINT32_MAX};
    int fd = -1;

    control_receive(h->f->master, &message, &fd);
    assert_int_equal(message.type, type);
    assert_int_equal(message.index, index);
}

static void expect_nothing(struct hands *h)
{
    assert_int_equal(master_hears(h->f), CONTROL_TYPE_END);
}

static void up_at(struct hands *h, size_t index)
{
    fork_at(h, index);
    say_at(h, index, FRAME_READY);
    assert_int_equal(at(h, index)->state, BUS_WORKER_SERVING);
    expect_master(h, CONTROL_WORKER_READY, (uint32_t)index);
}

/* A pool of `count` that serves; no look comes that the test does not ask for. */
static struct hands *hands_new(unsigned count)
{
    struct hands *h = calloc(1, sizeof(*h));

    assert_non_null(h);
    h->f = fixture_of(count, 4);
    for (unsigned i = 0; i < count; i++) {
        up_at(h, i);
    }
    expect_master(h, CONTROL_ONLINE, 0);
    event_del(&h->f->bus.pools->memory);
    return h;
}

static void hands_free(struct hands *h)
{
    for (size_t i = 0; i < HANDS; i++) {
        if (h->channel[i]) {
            channel_free(h->channel[i]);
        }
    }
    fixture_free(h->f);
    free(h);
}

/* It is seen to have so much per cent of the limit. */
static void grow(struct hands *h, size_t index, unsigned percent)
{
    bus_succession_over(at(h, index), (uint64_t)LIMIT / 100 * percent, LIMIT);
}

static void expect_state(struct hands *h, size_t index, enum bus_leave_state state)
{
    if (at(h, index)->leave.state != state) {
        fail_msg("worker %zu is in state %d, expected %d", index, (int)at(h, index)->leave.state, (int)state);
    }
}

/* -- Replace, then drain ------------------------------------------------------------------------------ */

static void its_successor_is_ready_first(void **state)
{
    struct hands *h = hands_new(1);
    struct frame_key key, second;
    struct outcome o[2];

    (void)state;
    put(h->f, &o[0], 0);
    turn(h->f);
    assert_int_equal(hear_at(h, 0, &key), FRAME_REQUEST);
    grow(h, 0, 101);
    expect_master(h, CONTROL_RESIZE, 1);
    expect_state(h, 0, BUS_LEAVE_REPLACING);
    assert_int_equal(at(h, 0)->state, BUS_WORKER_SERVING);
    fork_at(h, 1);
    /* It serves until the other is ready. */
    answer_at(h, 0, key);
    put(h->f, &o[1], 0);
    turn(h->f);
    assert_int_equal(hear_at(h, 0, &second), FRAME_REQUEST);
    say_at(h, 1, FRAME_READY);
    expect_master(h, CONTROL_WORKER_READY, 1);
    expect_master(h, CONTROL_WORKER_REMOVE, 0);
    expect_state(h, 0, BUS_LEAVE_DRAINING);
    assert_int_equal(hear_at(h, 0, &key), FRAME_TYPE_END); /* it has something left */
    answer_at(h, 0, second);
    assert_int_equal(o[1].error, 0);
    assert_int_equal(hear_at(h, 0, &key), FRAME_SOFT_KILL);
    expect_state(h, 0, BUS_LEAVE_HOME);
    end_at(h, 0);
    expect_nothing(h);
    assert_int_equal(at(h, 0)->state, BUS_WORKER_ABSENT);
    expect_state(h, 1, BUS_LEAVE_STAYING);
    assert_null(at(h, 1)->relieves);
    /* The next one goes to the place that is free. */
    grow(h, 1, 101);
    expect_master(h, CONTROL_RESIZE, 0);
    assert_int_equal(h->f->bus.pools->leaves[BUS_LEAVE_FOR_MEMORY], 1);
    hands_free(h);
}

/* Its memory is really looked at: told at 80 %, replaced at 100 %. */
static void a_real_look(void **state)
{
    struct hands *h = hands_new(1);
    struct frame_key key;
    struct os_proc proc;
    uint64_t seen;

    (void)state;
    assert_int_equal(os_proc_read(at(h, 0)->statm, &proc), 0);
    seen = proc.resident - proc.shared;
    h->f->conf.rss_limit = (int64_t)(seen / 9 * 10);
    for (int i = 0; i < 3; i++) {
        bus_memory_look(at(h, 0));
        turn(h->f);
    }
    assert_int_equal(hear_at(h, 0, &key), FRAME_TRIM);
    assert_int_equal(hear_at(h, 0, &key), FRAME_TYPE_END); /* once */
    h->f->conf.rss_limit = (int64_t)(seen * 2);            /* it is back ... */
    bus_memory_look(at(h, 0));
    h->f->conf.rss_limit = (int64_t)(seen / 9 * 10); /* ... and there again */
    bus_memory_look(at(h, 0));
    turn(h->f);
    assert_int_equal(hear_at(h, 0, &key), FRAME_TRIM);
    assert_int_equal(at(h, 0)->trims, 2);
    assert_int_equal(h->f->bus.pools->trims, 2);
    expect_state(h, 0, BUS_LEAVE_STAYING);
    hands_free(h);
}

/* -- Each reason -------------------------------------------------------------------------------------- */

static void after_max_requests(void **state)
{
    struct hands *h = hands_new(1);
    struct frame_key key;
    struct outcome o;

    (void)state;
    h->f->conf.max_requests = 3;
    bus_succession_ready(at(h, 0));
    at(h, 0)->leave.requests_max = 3;
    for (int i = 0; i < 3; i++) {
        expect_state(h, 0, BUS_LEAVE_STAYING);
        put(h->f, &o, 0);
        turn(h->f);
        assert_int_equal(hear_at(h, 0, &key), FRAME_REQUEST);
        answer_at(h, 0, key);
    }
    expect_state(h, 0, BUS_LEAVE_REPLACING);
    expect_master(h, CONTROL_RESIZE, 1);
    fork_at(h, 1);
    say_at(h, 1, FRAME_READY);
    expect_state(h, 0, BUS_LEAVE_HOME);
    assert_int_equal(h->f->bus.pools->leaves[BUS_LEAVE_FOR_REQUESTS], 1);
    hands_free(h);
}

static void after_max_age(void **state)
{
    struct hands *h = hands_new(1);

    (void)state;
    h->f->conf.max_age = 3600000;
    bus_succession_ready(at(h, 0));
    assert_in_range(at(h, 0)->leave.age_due - at(h, 0)->born, 2700 * CLOCK_NS_PER_S, 3600 * CLOCK_NS_PER_S);
    bus_memory_look(at(h, 0));
    expect_state(h, 0, BUS_LEAVE_STAYING);
    at(h, 0)->leave.age_due = clock_now();
    bus_memory_look(at(h, 0));
    expect_state(h, 0, BUS_LEAVE_REPLACING);
    expect_master(h, CONTROL_RESIZE, 1);
    fork_at(h, 1);
    say_at(h, 1, FRAME_READY);
    expect_state(h, 0, BUS_LEAVE_HOME);
    assert_int_equal(h->f->bus.pools->leaves[BUS_LEAVE_FOR_AGE], 1);
    hands_free(h);
}

static void at_half_as_much_again(void **state)
{
    static const struct {
        const char *when;
        bool successor, ready;
        enum control_type first;
    } rows[] = {
        {"it serves", false, false, CONTROL_WORKER_RETIRE},
        {"its successor starts", true, false, CONTROL_WORKER_REMOVE},
        {"it drains", true, true, CONTROL_TYPE_END},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hands *h = hands_new(1);
        struct frame_key key;
        struct outcome o;

        put(h->f, &o, 0);
        turn(h->f);
        assert_int_equal(hear_at(h, 0, &key), FRAME_REQUEST);
        if (rows[i].successor) {
            grow(h, 0, 110);
            fork_at(h, 1);
        }
        if (rows[i].ready) {
            say_at(h, 1, FRAME_READY);
        }
        while (master_hears(h->f) != CONTROL_TYPE_END) {
        }
        grow(h, 0, 151);
        if (rows[i].first != CONTROL_TYPE_END) {
            expect_master(h, rows[i].first, 0);
        }
        expect_master(h, CONTROL_WORKER_KILL, 0);
        expect_nothing(h);
        expect_state(h, 0, BUS_LEAVE_GONE);
        assert_int_equal(at(h, 0)->state, BUS_WORKER_GONE);
        assert_int_equal(h->f->bus.pools->killed, 1);
        end_at(h, 0);
        assert_int_equal(o.calls, 0); /* it had not started: the successor has it, or it waits */
        hands_free(h);
    }
}

/* -- What may go wrong -------------------------------------------------------------------------------- */

static void a_successor_that_does_not_get_ready(void **state)
{
    struct hands *h = hands_new(1);

    (void)state;
    grow(h, 0, 110);
    expect_master(h, CONTROL_RESIZE, 1);
    fork_at(h, 1);
    end_at(h, 1);
    expect_master(h, CONTROL_WORKER_KILL, 1);
    expect_master(h, CONTROL_WORKER_REMOVE, 1);
    expect_state(h, 0, BUS_LEAVE_STAYING);
    assert_int_equal(at(h, 0)->state, BUS_WORKER_SERVING);
    /* Not again at once; but when it is urgent it goes, and the master fills its place. */
    grow(h, 0, 110);
    expect_nothing(h);
    h->f->bus.pools->no_successor_before = clock_now();
    grow(h, 0, 110);
    expect_master(h, CONTROL_RESIZE, 1);
    expect_state(h, 0, BUS_LEAVE_REPLACING);
    fork_at(h, 1);
    end_at(h, 1);
    expect_master(h, CONTROL_WORKER_KILL, 1);
    expect_master(h, CONTROL_WORKER_REMOVE, 1);
    grow(h, 0, 126);
    expect_master(h, CONTROL_WORKER_RETIRE, 0);
    expect_state(h, 0, BUS_LEAVE_HOME);
    expect_nothing(h);
    hands_free(h);
}

/* The master has started it once more before it knew: it is sent home. */
static void a_lost_successor_that_comes_again(void **state)
{
    struct hands *h = hands_new(1);
    struct frame_key key;

    (void)state;
    grow(h, 0, 110);
    fork_at(h, 1);
    say_at(h, 1, FRAME_READY);
    end_at(h, 0);
    grow(h, 1, 110);
    fork_at(h, 0);
    end_at(h, 0);
    fork_at(h, 0);
    while (master_hears(h->f) != CONTROL_TYPE_END) {
    }
    turn(h->f);
    assert_int_equal(hear_at(h, 0, &key), FRAME_SOFT_KILL);
    end_at(h, 0);
    expect_state(h, 1, BUS_LEAVE_STAYING);
    expect_nothing(h);
    hands_free(h);
}

static void one_that_cannot_wait_for_its_successor(void **state)
{
    struct hands *h = hands_new(1);

    (void)state;
    grow(h, 0, 110);
    expect_master(h, CONTROL_RESIZE, 1);
    fork_at(h, 1);
    grow(h, 0, 120);
    expect_state(h, 0, BUS_LEAVE_REPLACING);
    grow(h, 0, 126);
    expect_master(h, CONTROL_WORKER_REMOVE, 0);
    expect_state(h, 0, BUS_LEAVE_HOME);
    end_at(h, 0);
    /* The successor is a worker like any other: that it dies is the master's to mend. */
    end_at(h, 1);
    expect_master(h, CONTROL_WORKER_KILL, 1);
    expect_nothing(h);
    fork_at(h, 1);
    say_at(h, 1, FRAME_READY);
    expect_master(h, CONTROL_WORKER_READY, 1);
    expect_nothing(h);
    hands_free(h);
}

static void one_that_dies_before_its_successor_is_ready(void **state)
{
    struct hands *h = hands_new(1);

    (void)state;
    grow(h, 0, 110);
    expect_master(h, CONTROL_RESIZE, 1);
    channel_free(h->channel[0]);
    h->channel[0] = NULL;
    turn(h->f);
    expect_master(h, CONTROL_WORKER_KILL, 0);
    expect_master(h, CONTROL_WORKER_REMOVE,
                  0); /* before the master has reaped it, and filled its place again */
    from_master(h, CONTROL_WORKER_GONE, 0, -1);
    up_at(h, 1);
    expect_nothing(h);
    assert_null(at(h, 1)->relieves);
    hands_free(h);
}

static void no_room(void **state)
{
    struct hands *h = hands_new(1);
    struct bus *bus = &h->f->bus;

    (void)state;
    at(h, 0)->baseline = 1000000;
    bus->memory = (struct os_memory){.used = 96500000, .limit = 100000000};
    /* For its age it can wait. */
    at(h, 0)->leave.age_due = clock_now();
    bus_succession_look(at(h, 0));
    expect_nothing(h);
    bus->memory.used = 95000000;
    bus->squeeze = BUS_SQUEEZE_MAX;
    bus_succession_look(at(h, 0));
    expect_nothing(h);
    /* For its memory it goes first, as it would with none for the successor. */
    grow(h, 0, 101);
    expect_master(h, CONTROL_WORKER_RETIRE, 0);
    expect_state(h, 0, BUS_LEAVE_HOME);
    end_at(h, 0);
    up_at(h, 0);
    /* Now there is. */
    bus->squeeze = 0;
    bus->memory.limit = 0;
    at(h, 0)->leave.age_due = clock_now();
    bus_succession_look(at(h, 0));
    expect_master(h, CONTROL_RESIZE, 1);
    hands_free(h);
}

static void a_degraded_pool(void **state)
{
    struct hands *h = hands_new(1);

    (void)state;
    h->f->bus.pools->degraded = clock_now() + CLOCK_NS_PER_S;
    grow(h, 0, 110);
    expect_nothing(h);
    expect_state(h, 0, BUS_LEAVE_STAYING);
    grow(h, 0, 126);
    expect_master(h, CONTROL_WORKER_RETIRE, 0);
    hands_free(h);
}

/* -- How many at once --------------------------------------------------------------------------------- */

static void a_quarter_at_once(void **state)
{
    struct hands *h = hands_new(8);

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        grow(h, i, 140);
    }
    expect_master(h, CONTROL_RESIZE, 8);
    expect_master(h, CONTROL_RESIZE, 9);
    expect_nothing(h);
    fork_at(h, 8);
    fork_at(h, 9);
    say_at(h, 8, FRAME_READY);
    expect_master(h, CONTROL_WORKER_READY, 8);
    expect_master(h, CONTROL_WORKER_REMOVE, 0);
    grow(h, 2, 110);
    expect_nothing(h); /* the first one is still there */
    end_at(h, 0);
    grow(h, 2, 110);
    expect_master(h, CONTROL_RESIZE, 0);
    expect_nothing(h);
    hands_free(h);
}

/* One that had to wait is looked at as soon as it is its turn. */
static void the_next_in_turn(void **state)
{
    struct hands *h = hands_new(3);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        at(h, i)->leave.age_due = clock_now();
        bus_succession_look(at(h, i));
    }
    expect_master(h, CONTROL_RESIZE, 3);
    expect_nothing(h);
    fork_at(h, 3);
    say_at(h, 3, FRAME_READY);
    expect_master(h, CONTROL_WORKER_READY, 3);
    expect_master(h, CONTROL_WORKER_REMOVE, 0);
    expect_nothing(h);
    end_at(h, 0);
    expect_master(h, CONTROL_RESIZE, 0);
    expect_nothing(h);
    expect_state(h, 1, BUS_LEAVE_REPLACING);
    hands_free(h);
}

/* Nor does one leave while another, whatever became of it, is not ready yet. */
static void not_while_another_starts(void **state)
{
    struct hands *h = hands_new(2);

    (void)state;
    end_at(h, 1);
    expect_master(h, CONTROL_WORKER_KILL, 1);
    grow(h, 0, 110);
    expect_nothing(h);
    fork_at(h, 1);
    grow(h, 0, 110);
    expect_nothing(h);
    say_at(h, 1, FRAME_READY);
    expect_master(h, CONTROL_WORKER_READY, 1);
    grow(h, 0, 110);
    expect_master(h, CONTROL_RESIZE, 2);
    hands_free(h);
}

/* -- Resizes meanwhile -------------------------------------------------------------------------------- */

static void on_resized(int error, void *arg)
{
    *(int *)arg = error == 0 ? 1 : -1;
}

/* The worker that is to be fewer is the one that leaves anyway: its successor is given up, and it goes. */
static void a_pool_that_shrinks(void **state)
{
    struct hands *h = hands_new(2);
    int done = 0;

    (void)state;
    grow(h, 0, 110);
    expect_master(h, CONTROL_RESIZE, 2);
    fork_at(h, 2);
    assert_int_equal(lpm_supervisor_resize(&h->f->supervisor, NULL, 1, on_resized, &done), 0);
    turn(h->f);
    expect_master(h, CONTROL_WORKER_REMOVE, 2);
    expect_master(h, CONTROL_WORKER_REMOVE, 0);
    expect_nothing(h);
    end_at(h, 2);
    end_at(h, 0);
    turn(h->f);
    assert_int_equal(done, 1);
    expect_state(h, 1, BUS_LEAVE_STAYING);
    hands_free(h);
}

static void a_pool_that_grows(void **state)
{
    struct hands *h = hands_new(2);
    int done = 0;

    (void)state;
    grow(h, 0, 110);
    expect_master(h, CONTROL_RESIZE, 2);
    assert_int_equal(lpm_supervisor_resize(&h->f->supervisor, NULL, 3, on_resized, &done), 0);
    turn(h->f);
    expect_master(h, CONTROL_RESIZE, 3);
    expect_nothing(h);
    up_at(h, 3);
    turn(h->f);
    assert_int_equal(done, 1); /* whatever the successor does */
    fork_at(h, 2);
    say_at(h, 2, FRAME_READY);
    expect_master(h, CONTROL_WORKER_READY, 2);
    expect_master(h, CONTROL_WORKER_REMOVE, 0);
    hands_free(h);
}

/* -- The end of all ----------------------------------------------------------------------------------- */

static void all_go(void **state)
{
    struct hands *h = hands_new(1);
    struct frame_key key;

    (void)state;
    grow(h, 0, 110);
    fork_at(h, 1);
    from_master(h, CONTROL_SOFT_KILL, 0, -1);
    assert_int_equal(hear_at(h, 0, &key), FRAME_DRAIN);
    assert_int_equal(hear_at(h, 0, &key), FRAME_SOFT_KILL);
    expect_state(h, 0, BUS_LEAVE_HOME);
    expect_state(h, 1, BUS_LEAVE_HOME);
    end_at(h, 0);
    end_at(h, 1);
    assert_true(h->f->bus.over);
    hands_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_successor_is_ready_first),
        cmocka_unit_test(a_real_look),
        cmocka_unit_test(after_max_requests),
        cmocka_unit_test(after_max_age),
        cmocka_unit_test(at_half_as_much_again),
        cmocka_unit_test(a_successor_that_does_not_get_ready),
        cmocka_unit_test(a_lost_successor_that_comes_again),
        cmocka_unit_test(one_that_cannot_wait_for_its_successor),
        cmocka_unit_test(one_that_dies_before_its_successor_is_ready),
        cmocka_unit_test(no_room),
        cmocka_unit_test(a_degraded_pool),
        cmocka_unit_test(a_quarter_at_once),
        cmocka_unit_test(the_next_in_turn),
        cmocka_unit_test(not_while_another_starts),
        cmocka_unit_test(a_pool_that_shrinks),
        cmocka_unit_test(a_pool_that_grows),
        cmocka_unit_test(all_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
