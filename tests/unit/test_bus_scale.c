/*
 * The rule of a pool that scales itself: by table, and on a virtual clock, with requests that come at random.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bus/bus_scale.h"
#include "sim_random.h"

#define MS  CLOCK_NS_PER_MS
#define S   CLOCK_NS_PER_S
#define MIB (UINT64_C(1) << 20)

static const struct bus_scale_bounds bounds = {1, 8, 30 * S};

/* What a pool looks like in which nothing asks for a change. */
static struct bus_scale_view calm(unsigned target, unsigned busy)
{
    return (struct bus_scale_view){.now = S,
                                   .target = target,
                                   .serving = target,
                                   .busy = busy,
                                   .service = 5 * MS,
                                   .memory = 100 * MIB,
                                   .room = UINT64_MAX};
}

/* Looks at the same for so long, or until something is said. The target then. */
static unsigned look_for(struct bus_scale *scale, struct bus_scale_view *view, uint64_t ns,
                         enum bus_scale_reason *reason)
{
    uint64_t end = view->now + ns;
    unsigned target;

    do {
        target = bus_scale_look(scale, &bounds, view, reason);
        view->now += BUS_SCALE_LOOK_NS;
    } while (*reason == BUS_SCALE_STAYS && view->now <= end);
    return target;
}

static void by_table(void **state)
{
    static const struct {
        const char *what;
        unsigned target, serving, busy, squeeze;
        uint64_t wait, service, still_taken, room;
        uint64_t lasts; /* how long it is seen at the most */
        unsigned next;
        enum bus_scale_reason reason;
    } cases[] = {
        {"calm, the least", 1, 1, 0, 0, 0, 0, 0, UINT64_MAX, 100 * S, 1, BUS_SCALE_STAYS},
        {"a wait, once", 2, 2, 2, 0, 20 * MS, 0, 0, UINT64_MAX, 0, 2, BUS_SCALE_STAYS},
        {"a wait that lasts", 2, 2, 2, 0, 20 * MS, 0, 0, UINT64_MAX, S, 3, BUS_SCALE_WAIT},
        {"not above 10 ms", 2, 2, 2, 0, 10 * MS, 0, 0, UINT64_MAX, 9 * S, 2, BUS_SCALE_STAYS},
        {"shorter than one takes", 2, 2, 2, 0, 20 * MS, 20 * MS, 0, UINT64_MAX, 9 * S, 2, BUS_SCALE_STAYS},
        {"longer than one takes", 2, 2, 2, 0, 21 * MS, 20 * MS, 0, UINT64_MAX, S, 3, BUS_SCALE_WAIT},
        {"a second is too long", 2, 2, 2, 0, 1001 * MS, 60 * S, 0, UINT64_MAX, S, 3, BUS_SCALE_WAIT},
        {"a quarter more", 5, 5, 5, 0, 20 * MS, 0, 0, UINT64_MAX, S, 7, BUS_SCALE_WAIT},
        {"not beyond the most", 7, 7, 7, 0, 20 * MS, 0, 0, UINT64_MAX, S, 8, BUS_SCALE_WAIT},
        {"the most", 8, 8, 8, 0, 20 * MS, 0, 0, UINT64_MAX, S, 8, BUS_SCALE_MOST},
        {"a wait, and one is free", 2, 2, 1, 0, 20 * MS, 0, 0, UINT64_MAX, 9 * S, 2, BUS_SCALE_STAYS},
        {"some still start", 4, 3, 3, 0, 20 * MS, 0, 0, UINT64_MAX, 9 * S, 4, BUS_SCALE_STAYS},
        {"room for one of two", 5, 5, 5, 0, 20 * MS, 0, 0, 199 * MIB, S, 6, BUS_SCALE_WAIT},
        {"no room", 2, 2, 2, 0, 20 * MS, 0, 0, 99 * MIB, S, 2, BUS_SCALE_NO_ROOM},
        {"the others will need it", 2, 2, 2, 0, 20 * MS, 0, 101 * MIB, 200 * MIB, S, 2, BUS_SCALE_NO_ROOM},
        {"and more than there is", 2, 2, 2, 0, 20 * MS, 0, 300 * MIB, 200 * MIB, S, 2, BUS_SCALE_NO_ROOM},
        {"memory is short", 2, 2, 2, 1, 20 * MS, 0, 0, UINT64_MAX, S, 2, BUS_SCALE_SQUEEZED},
        {"idle, not long enough", 2, 2, 0, 0, 0, 0, 0, UINT64_MAX, 29 * S, 2, BUS_SCALE_STAYS},
        {"idle for long", 2, 2, 0, 0, 0, 0, 0, UINT64_MAX, 31 * S, 1, BUS_SCALE_IDLE},
        {"idle, one at a time", 8, 8, 0, 0, 0, 0, 0, UINT64_MAX, 31 * S, 7, BUS_SCALE_IDLE},
        {"one busy, and one to spare", 3, 3, 1, 0, 0, 0, 0, UINT64_MAX, 31 * S, 2, BUS_SCALE_IDLE},
        {"one busy, none to spare", 2, 2, 1, 0, 0, 0, 0, UINT64_MAX, 99 * S, 2, BUS_SCALE_STAYS},
        {"four busy need six", 7, 7, 4, 0, 0, 0, 0, UINT64_MAX, 31 * S, 6, BUS_SCALE_IDLE},
        {"four busy have six", 6, 6, 4, 0, 0, 0, 0, UINT64_MAX, 99 * S, 6, BUS_SCALE_STAYS},
        {"idle, but some wait", 4, 4, 0, 0, 6 * MS, 0, 0, UINT64_MAX, 99 * S, 4, BUS_SCALE_STAYS},
        {"idle, memory short", 4, 4, 0, 1, 0, 0, 0, UINT64_MAX, 3 * S, 3, BUS_SCALE_SHORT},
        {"busy, memory short", 4, 4, 4, 1, 0, 0, 0, UINT64_MAX, 9 * S, 4, BUS_SCALE_STAYS},
        {"busy, memory very short", 4, 4, 4, 2, 20 * MS, 0, 0, UINT64_MAX, 0, 3, BUS_SCALE_SHORT},
        {"very short, the least", 1, 1, 1, 2, 20 * MS, 0, 0, UINT64_MAX, S, 1, BUS_SCALE_SQUEEZED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bus_scale scale = {0};
        struct bus_scale_view view = calm(cases[i].target, cases[i].busy);
        enum bus_scale_reason reason;

        print_message("%s\n", cases[i].what);
        view.serving = cases[i].serving;
        view.squeeze = cases[i].squeeze;
        view.wait = cases[i].wait;
        view.service = cases[i].service;
        view.still_taken = cases[i].still_taken;
        view.room = cases[i].room;
        assert_int_equal(look_for(&scale, &view, cases[i].lasts, &reason), cases[i].next);
        assert_int_equal(reason, cases[i].reason);
    }
}

/* What breaks the wait, or the idleness, makes it begin anew. */
static void without_a_break(void **state)
{
    struct bus_scale scale = {0};
    struct bus_scale_view view = calm(3, 0);
    enum bus_scale_reason reason;

    (void)state;
    look_for(&scale, &view, 29 * S, &reason);
    view.wait = 6 * MS;
    look_for(&scale, &view, 0, &reason);
    view.wait = 0;
    assert_int_equal(look_for(&scale, &view, 29 * S, &reason), 3);
    assert_int_equal(look_for(&scale, &view, 2 * S, &reason), 2);
    assert_int_equal(reason, BUS_SCALE_IDLE);
    /* The next one takes as long again. */
    view.target = view.serving = 2;
    assert_int_equal(look_for(&scale, &view, 29 * S, &reason), 2);
    assert_int_equal(look_for(&scale, &view, 2 * S, &reason), 1);
}

static void very_short_goes_step_by_step(void **state)
{
    struct bus_scale scale = {0};
    struct bus_scale_view view = calm(4, 4);
    enum bus_scale_reason reason;

    (void)state;
    view.squeeze = 2;
    assert_int_equal(look_for(&scale, &view, 0, &reason), 3);
    view.target = view.serving = 3;
    assert_int_equal(look_for(&scale, &view, 3 * S / 2, &reason), 3);
    assert_int_equal(reason, BUS_SCALE_STAYS);
    assert_int_equal(look_for(&scale, &view, S, &reason), 2);
}

static void says_why(void **state)
{
    struct bus_scale_view view = calm(2, 2);
    char room[160];

    (void)state;
    view.wait = 35 * MS;
    view.room = 40 * MIB;
    assert_string_equal(bus_scale_text(BUS_SCALE_WAIT, &bounds, &view, room, sizeof(room)),
                        "requests wait 35 ms for a worker");
    assert_string_equal(bus_scale_text(BUS_SCALE_IDLE, &bounds, &view, room, sizeof(room)),
                        "30 s long one less would have done");
    assert_string_equal(
        bus_scale_text(BUS_SCALE_NO_ROOM, &bounds, &view, room, sizeof(room)),
        "requests wait 35 ms for a worker, but another takes 100 MiB of memory, and 40 MiB are left");
    assert_string_equal(bus_scale_text(BUS_SCALE_SHORT, &bounds, &view, room, sizeof(room)),
                        "memory is short");
}

/* -- On a virtual clock ------------------------------------------------------------------------------- */

#define START_TAKES (300 * MS) /* from the fork to ready */
#define QUEUE_MAX   4096

/* One queue before workers that are all alike; time goes in steps of a ms. */
struct pool {
    uint64_t seed, now;
    uint64_t service; /* mean, exponential */
    double rate;      /* requests a ms */
    double next;      /* ms: the next arrival */
    unsigned target;
    uint64_t free_at[8], ready_at[8]; /* of each worker */
    uint64_t queue[QUEUE_MAX];        /* when they came */
    size_t first, count;
    uint64_t wait; /* moving average of those that were sent */
    uint64_t room;
    unsigned changes, least, most;
    struct bus_scale scale;
};

static void arrive(struct pool *pool)
{
    while (pool->next * (double)MS < (double)pool->now) {
        if (pool->count < QUEUE_MAX) {
            pool->queue[(pool->first + pool->count++) % QUEUE_MAX] = pool->now;
        }
        pool->next += sim_random_exponential(&pool->seed) / pool->rate;
    }
}

static void serve(struct pool *pool)
{
    for (unsigned i = 0; i < pool->target; i++) {
        if (pool->ready_at[i] <= pool->now && pool->free_at[i] <= pool->now && pool->count > 0) {
            uint64_t waited = pool->now - pool->queue[pool->first];
            pool->wait = pool->wait - pool->wait / 8 + waited / 8;
            pool->first = (pool->first + 1) % QUEUE_MAX;
            pool->count--;
            pool->free_at[i] =
                pool->now + (uint64_t)(sim_random_exponential(&pool->seed) * (double)pool->service);
        }
    }
}

static void look(struct pool *pool)
{
    uint64_t oldest = pool->count > 0 ? pool->now - pool->queue[pool->first] : 0;
    struct bus_scale_view view = {.now = pool->now,
                                  .target = pool->target,
                                  .wait = oldest > pool->wait ? oldest : pool->wait,
                                  .service = pool->service,
                                  .memory = 100 * MIB,
                                  .room = pool->room - pool->target * 100 * MIB};
    enum bus_scale_reason reason;
    unsigned target;

    for (unsigned i = 0; i < pool->target; i++) {
        view.serving += pool->ready_at[i] <= pool->now;
        view.busy += pool->free_at[i] > pool->now;
    }
    target = bus_scale_look(&pool->scale, &bounds, &view, &reason);
    for (unsigned i = pool->target; i < target; i++) {
        pool->ready_at[i] = pool->now + START_TAKES;
    }
    pool->changes += target != pool->target;
    pool->target = target;
    pool->least = target < pool->least ? target : pool->least;
    pool->most = target > pool->most ? target : pool->most;
}

static void run(struct pool *pool, uint64_t ns, double rate)
{
    uint64_t end = pool->now + ns;

    pool->rate = rate;
    pool->next = (double)pool->now / (double)MS;
    pool->changes = pool->most = 0;
    pool->least = 8;
    for (; pool->now < end; pool->now += MS) {
        arrive(pool);
        serve(pool);
        if (pool->now % BUS_SCALE_LOOK_NS == 0) {
            look(pool);
        }
    }
}

/* From one worker to what the load asks for within seconds, and back within minutes; in between it stands. */
static void follows_the_load(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct pool pool = {.seed = seed, .now = S, .service = 20 * MS, .target = 1, .room = UINT64_MAX / 2};

        run(&pool, 60 * S, 0.005); /* a tenth of one */
        assert_in_range(pool.most, 1, 2);
        run(&pool, 300 * S, 0.1); /* two of them */
        print_message("seed %d: %u to %u for 2 Erlang, %u changes\n", (int)seed, pool.least, pool.most,
                      pool.changes);
        assert_in_range(pool.target, 3, 6);
        assert_true(pool.changes <= 8);
        run(&pool, 8 * S, 0.25); /* five of them */
        print_message("  %u workers after 8 s of 5 Erlang\n", pool.target);
        assert_in_range(pool.target, 6, 8);
        assert_true(pool.wait < 100 * MS);
        run(&pool, 300 * S, 0.25);
        print_message("  %u to %u in 5 minutes, %u changes\n", pool.least, pool.most, pool.changes);
        assert_true(pool.least >= 6);
        assert_true(pool.changes <= 4);
        run(&pool, 600 * S, 0.005);
        assert_int_equal(pool.least, 1);
        assert_true(pool.changes <= 12);
    }
}

/* A burst of a second each ten seconds: it does not come and go with each of the 60. */
static void does_not_follow_each_burst(void **state)
{
    struct pool pool = {.seed = 7, .now = S, .service = 20 * MS, .target = 1, .room = UINT64_MAX / 2};
    unsigned changes = 0;

    (void)state;
    for (int i = 0; i < 60; i++) {
        run(&pool, S, 0.2);
        changes += pool.changes;
        run(&pool, 9 * S, 0.01);
        changes += pool.changes;
    }
    print_message("%u changes in 10 minutes of bursts\n", changes);
    assert_true(changes <= 24);
}

/* Whatever the load, what there is room for is not passed. */
static void keeps_within_memory(void **state)
{
    struct pool pool = {.seed = 9, .now = S, .service = 20 * MS, .target = 1, .room = 350 * MIB};

    (void)state;
    run(&pool, 60 * S, 0.5);
    assert_int_equal(pool.most, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_table),
        cmocka_unit_test(without_a_break),
        cmocka_unit_test(very_short_goes_step_by_step),
        cmocka_unit_test(says_why),
        cmocka_unit_test(follows_the_load),
        cmocka_unit_test(does_not_follow_each_burst),
        cmocka_unit_test(keeps_within_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
