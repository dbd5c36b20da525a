/*
 * Which worker gets the next request: the order of each policy, and that the heap keeps to it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bus/bus_dispatch.h"

#define MS  1000000u
#define MIB (UINT64_C(1) << 20)

static struct bus_load load(uint32_t in_flight, uint32_t unstarted, bool running, uint64_t pressure)
{
    return (struct bus_load){.serving = true,
                             .ready = true,
                             .running = running,
                             .in_flight = in_flight,
                             .seen_with = in_flight,
                             .unstarted = unstarted,
                             .concurrency = 100,
                             .pressure = pressure};
}

/* Who is picked out of these, in a table of its own. */
static int pick(enum conf_dispatch policy, const struct bus_load *loads, size_t count, bool socket)
{
    struct bus_dispatch d;
    int place;

    assert_int_equal(bus_dispatch_init(&d, policy, count), 0);
    for (size_t i = 0; i < count; i++) {
        d.loads[i] = loads[i];
        bus_dispatch_update(&d, i);
    }
    place = bus_dispatch_pick(&d, 0, socket);
    bus_dispatch_fini(&d);
    return place;
}

static void nobody_may_have_one(void **state)
{
    (void)state;
    for (int policy = CONF_LEAST_PRESSURE; policy <= CONF_ROUND_ROBIN; policy++) {
        struct bus_load loads[2] = {load(100, 0, false, 0), load(0, 0, false, 0)};
        loads[1].ready = false;
        assert_int_equal(pick((enum conf_dispatch)policy, loads, 1, false), -1);
        assert_int_equal(pick((enum conf_dispatch)policy, loads, 2, false), -1);
        assert_int_equal(pick((enum conf_dispatch)policy, loads, 2, true), -1);
    }
}

static void a_blocked_worker_gets_nothing_behind_it(void **state)
{
    struct bus_load loads[2] = {load(1, 0, true, 0), load(1, 0, true, 0)};

    (void)state;
    for (int policy = CONF_LEAST_PRESSURE; policy < CONF_ROUND_ROBIN; policy++) {
        loads[0].service = 2 * MS;
        loads[1].service = 0; /* not known yet */
        assert_int_equal(pick((enum conf_dispatch)policy, loads, 2, false), -1);
        loads[1].service = MS / 2;
        assert_int_equal(pick((enum conf_dispatch)policy, loads, 2, false), 1);
    }
}

static void the_order(void **state)
{
    static const struct {
        const char *why;
        enum conf_dispatch policy;
        struct bus_load first, second;
    } cases[] = {
        {"least_pressure: cold before hot",
         CONF_LEAST_PRESSURE,
         {.in_flight = 3, .pressure = 9},
         {.hot = true}},
        {"idle before loaded, whatever the pressure",
         CONF_LEAST_PRESSURE,
         {.pressure = 50 * MIB},
         {.in_flight = 1}},
        {"the fewest before it",
         CONF_LEAST_PRESSURE,
         {.running = true, .in_flight = 9, .unstarted = 3, .service = 1000, .pressure = 2},
         {.running = true, .in_flight = 5, .unstarted = 4, .service = 1000, .pressure = 1}},
        {"least pressure among the idle", CONF_LEAST_PRESSURE, {.pressure = 2}, {.pressure = 3}},
        {"equal pressure, seen with equally many: that with fewer now",
         CONF_LEAST_PRESSURE,
         {.in_flight = 3, .pressure = MIB},
         {.in_flight = 4, .pressure = MIB}},
        {"what has been sent since then counts",
         CONF_LEAST_PRESSURE,
         {.in_flight = 4, .seen_with = 4, .pressure = 9 * MIB},
         {.in_flight = 4, .seen_with = 1, .pressure = 5 * MIB}},
        {"failing after hot", CONF_LEAST_PRESSURE, {.hot = true, .in_flight = 5}, {.failing = true}},
        {"least_loaded: the fewest in flight",
         CONF_LEAST_LOADED,
         {.in_flight = 3, .pressure = 2},
         {.in_flight = 4, .pressure = 1}},
        {"cold before hot", CONF_LEAST_LOADED, {.in_flight = 3}, {.hot = true}},
        {"failing last", CONF_LEAST_LOADED, {.in_flight = 3}, {.failing = true}},
        {"prequal: the quickest", CONF_PREQUAL, {.service = 10 * MS, .pressure = 1}, {.service = 11 * MS}},
        {"not known is worth a try", CONF_PREQUAL, {.service = 0}, {.service = 1}},
        {"what is before it counts",
         CONF_PREQUAL,
         {.service = 1000},
         {.service = 501, .running = true, .in_flight = 1}},
        {"few before many in flight",
         CONF_PREQUAL,
         {.service = 9 * MS, .in_flight = 0},
         {.service = 8 * MS, .in_flight = 1}},
        {"of the many the fewest",
         CONF_PREQUAL,
         {.service = 9 * MS, .in_flight = 1},
         {.service = 8 * MS, .in_flight = 2}},
        {"round_robin: the turn alone",
         CONF_ROUND_ROBIN,
         {.turn = 1, .hot = true, .failing = true, .running = true, .in_flight = 99, .service = 9 * MS},
         {.turn = 2}},
        {"equals take turns", CONF_LEAST_PRESSURE, {.turn = 6}, {.turn = 7}},
        {"equals take turns", CONF_LEAST_LOADED, {.turn = 6}, {.turn = 7}},
        {"equals take turns", CONF_PREQUAL, {.turn = 6}, {.turn = 7}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bus_load there[2] = {cases[i].first, cases[i].second}, back[2];
        print_message("%s\n", cases[i].why);
        for (size_t k = 0; k < 2; k++) {
            there[k].ready = there[k].serving = true;
            there[k].concurrency = 100;
            back[1 - k] = there[k];
        }
        assert_int_equal(pick(cases[i].policy, there, 2, false), 0);
        assert_int_equal(pick(cases[i].policy, back, 2, false), 1);
    }
}

static void equals_take_turns(void **state)
{
    (void)state;
    for (int policy = CONF_LEAST_PRESSURE; policy <= CONF_ROUND_ROBIN; policy++) {
        struct bus_dispatch d;
        assert_int_equal(bus_dispatch_init(&d, (enum conf_dispatch)policy, 3), 0);
        for (size_t i = 0; i < 3; i++) {
            d.loads[i] = load(0, 0, false, 7);
            bus_dispatch_update(&d, i);
        }
        int first = bus_dispatch_pick(&d, 0, false);
        bus_dispatch_sent(&d, (size_t)first, 0);
        int second = bus_dispatch_pick(&d, 0, false);
        bus_dispatch_sent(&d, (size_t)second, 0);
        int third = bus_dispatch_pick(&d, 0, false);
        bus_dispatch_sent(&d, (size_t)third, 0);
        assert_int_equal((1 << first) | (1 << second) | (1 << third), 7);
        assert_int_equal(bus_dispatch_pick(&d, 0, false), first);
        bus_dispatch_fini(&d);
    }
}

static void a_socket_goes_where_the_fewest_are(void **state)
{
    struct bus_load loads[2] = {load(0, 0, false, 0), load(3, 0, false, 9 * MIB)};

    (void)state;
    loads[0].sockets = 2;
    loads[1].sockets = 1;
    assert_int_equal(pick(CONF_LEAST_PRESSURE, loads, 2, true), 1);
    assert_int_equal(pick(CONF_LEAST_PRESSURE, loads, 2, false), 0);
    loads[1].sockets = 2;
    assert_int_equal(pick(CONF_LEAST_PRESSURE, loads, 2, true), 0);
}

/* Prequal's bound: with more in flight than 84 % of the pool, the quickest comes last. */
static void prequal_counts_the_many(void **state)
{
    struct bus_dispatch d;

    (void)state;
    assert_int_equal(bus_dispatch_init(&d, CONF_PREQUAL, 10), 0);
    for (size_t i = 0; i < 10; i++) {
        d.loads[i] = load(i == 9 ? 7 : 2, 0, false, 0);
        d.loads[i].service = i == 9 ? MS : (10 + i) * MS;
        bus_dispatch_update(&d, i);
    }
    for (int i = 0; i < 64; i++) {
        bus_dispatch_sent(&d, 8, 0);
    }
    assert_int_equal(d.pool.in_flight, 2);
    assert_int_equal(bus_dispatch_pick(&d, 0, false), 0);
    d.loads[9].in_flight = 2;
    bus_dispatch_update(&d, 9);
    assert_int_equal(bus_dispatch_pick(&d, 0, false), 9);
    bus_dispatch_fini(&d);
}

static void answer(struct bus_dispatch *d, size_t place, bool failed)
{
    bus_load_answered(&d->loads[place], failed, bus_dispatch_usual_failures(d));
    bus_dispatch_update(d, place);
}

/* One of four fails each request: after a few it is left alone, and tried again once a second when no other is free. */
static void who_fails_is_left_alone(void **state)
{
    struct bus_dispatch d;
    uint64_t now = 5 * BUS_PROBE_NS;
    int failures = 0;

    (void)state;
    assert_int_equal(bus_dispatch_init(&d, CONF_LEAST_PRESSURE, 4), 0);
    for (size_t i = 0; i < 4; i++) {
        d.loads[i] = load(i == 0 ? 0 : 1, 0, i != 0, 0);
        bus_dispatch_update(&d, i);
    }
    while (bus_dispatch_pick(&d, now, false) == 0) {
        bus_dispatch_sent(&d, 0, now);
        answer(&d, 0, true);
        failures++;
    }
    assert_in_range(failures, 4, 8);
    assert_int_equal(bus_dispatch_pick(&d, now + BUS_PROBE_NS - 1, false), -1);
    assert_int_equal(bus_dispatch_pick(&d, now + BUS_PROBE_NS, false), 0);
    assert_int_equal(bus_dispatch_pick(&d, now + BUS_PROBE_NS - 1, true), -1);

    d.loads[2] = load(0, 0, false, 99 * MIB);
    bus_dispatch_update(&d, 2);
    assert_int_equal(bus_dispatch_pick(&d, now + BUS_PROBE_NS, false), 2);

    /* It has recovered. */
    for (int i = 0; i < 6; i++) {
        answer(&d, 0, false);
    }
    assert_false(d.loads[0].failing);
    assert_int_equal(bus_dispatch_pick(&d, now, false), 0);
    bus_dispatch_fini(&d);
}

/* When the requests are the cause, all fail alike, and nobody is left alone. */
static void when_all_fail_all_serve(void **state)
{
    struct bus_dispatch d;

    (void)state;
    assert_int_equal(bus_dispatch_init(&d, CONF_LEAST_PRESSURE, 3), 0);
    for (size_t i = 0; i < 3; i++) {
        d.loads[i] = load(0, 0, false, 0);
        bus_dispatch_update(&d, i);
    }
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 3; i++) {
            int place = bus_dispatch_pick(&d, 0, false);
            assert_true(place >= 0);
            bus_dispatch_sent(&d, (size_t)place, 0);
            answer(&d, (size_t)place, true);
        }
    }
    /* One gets well: the other two are still most of the pool. Then a second one does. */
    for (int i = 0; i < 20; i++) {
        answer(&d, 1, false);
    }
    assert_int_not_equal(bus_dispatch_pick(&d, 0, false), -1);
    d.loads[0].ready = d.loads[1].ready = false;
    bus_dispatch_update(&d, 0);
    bus_dispatch_update(&d, 1);
    assert_int_equal(bus_dispatch_pick(&d, 0, false), 2);
    for (int i = 0; i < 20; i++) {
        answer(&d, 0, false);
    }
    answer(&d, 2, true);
    d.loads[2].probe_at = 1;
    bus_dispatch_update(&d, 2);
    assert_int_equal(bus_dispatch_pick(&d, 0, false), -1);

    /* Whoever leaves, or dies, does not count. */
    d.loads[0].serving = d.loads[1].serving = false;
    bus_dispatch_update(&d, 0);
    bus_dispatch_update(&d, 1);
    assert_int_equal(bus_dispatch_pick(&d, 0, false), 2);
    bus_dispatch_fini(&d);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

static bool is_before(const struct bus_dispatch_key *a, const struct bus_dispatch_key *b)
{
    return a->rank != b->rank     ? a->rank < b->rank
           : a->score != b->score ? a->score < b->score
                                  : a->turn < b->turn;
}

/* Whatever changes: who is picked is who a look at all of them finds. */
static void the_heap_finds_the_first(void **state)
{
    enum { PLACES = 37, STEPS = 20000 };

    (void)state;
    for (int policy = CONF_LEAST_PRESSURE; policy <= CONF_ROUND_ROBIN; policy++) {
        struct bus_dispatch d;
        uint64_t seed = 7;

        assert_int_equal(bus_dispatch_init(&d, (enum conf_dispatch)policy, PLACES), 0);
        for (int step = 0; step < STEPS; step++) {
            size_t place = next_random(&seed) % PLACES;
            struct bus_dispatch_key best = {0, 0, 0}, key;
            bool found = false;

            d.loads[place] = load((uint32_t)(next_random(&seed) % 4), (uint32_t)(next_random(&seed) % 2),
                                  next_random(&seed) % 3 == 0, next_random(&seed) % 3 * MIB);
            d.loads[place].service = next_random(&seed) % 5 * MS / 2;
            d.loads[place].ready = next_random(&seed) % 8 != 0;
            d.loads[place].failing = next_random(&seed) % 3 == 0;
            if (next_random(&seed) % 2 == 0) {
                bus_dispatch_sent(&d, place, 0);
            } else {
                d.loads[place].turn = next_random(&seed) % 50;
                bus_dispatch_update(&d, place);
            }
            for (size_t i = 0; i < d.count; i++) {
                if (bus_dispatch_key(&d.pool, &d.loads[i], &key) && (!found || is_before(&key, &best))) {
                    found = true;
                    best = key;
                }
            }
            int picked = bus_dispatch_pick(&d, UINT64_MAX, false);
            assert_int_equal(picked >= 0, found);
            if (found) {
                assert_true(bus_dispatch_key(&d.pool, &d.loads[picked], &key));
                assert_false(is_before(&best, &key));
            }
        }
        bus_dispatch_fini(&d);
    }
}

/* The only one that might have a request is not sorted in anew for each: what it may, and its key, count all the same. */
static void one_alone(void **state)
{
    struct bus_dispatch d;

    (void)state;
    assert_int_equal(bus_dispatch_init(&d, CONF_LEAST_LOADED, 3), 0);
    for (size_t i = 0; i < 3; i++) {
        d.loads[i] = load(0, 0, false, 0);
        d.loads[i].ready = i == 0;
        bus_dispatch_update(&d, i);
    }
    assert_int_equal(bus_dispatch_pick(&d, 0, false), 0);
    d.loads[0].in_flight = 100;
    bus_dispatch_update(&d, 0);
    assert_int_equal(bus_dispatch_pick(&d, 0, false), -1);
    d.loads[0].in_flight = 0;
    bus_dispatch_update(&d, 0);
    assert_int_equal(bus_dispatch_pick(&d, 0, false), 0);
    d.loads[0].failing = true;
    d.loads[0].probe_at = 5;
    bus_dispatch_update(&d, 0);
    assert_int_equal(bus_dispatch_pick(&d, 4, false), -1);
    assert_int_equal(bus_dispatch_pick(&d, 5, false), 0);
    d.loads[0].failing = false;
    bus_dispatch_update(&d, 0);
    assert_int_equal(bus_dispatch_pick(&d, 4, false), 0);
    d.loads[0].in_flight = 50;
    bus_dispatch_update(&d, 0);
    assert_int_equal(bus_dispatch_pick(&d, 0, false), 0);
    d.loads[1] = load(1, 0, false, 0);
    bus_dispatch_update(&d, 1);
    assert_int_equal(bus_dispatch_pick(&d, 0, false), 1);
    bus_dispatch_fini(&d);
}

static void prefetch_is_a_short_time_of_work(void **state)
{
    static const struct {
        uint64_t service;
        uint32_t prefetch;
    } cases[] = {{0, 0},         {1, 128},        {1953, 128},     {2000, 125},     {20 * 1000, 12},
                 {62 * 1000, 4}, {200 * 1000, 4}, {251 * 1000, 3}, {334 * 1000, 2}, {501 * 1000, 1},
                 {MS - 1, 1},    {MS, 0},         {MS + 1, 0},     {UINT64_MAX, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(bus_load_prefetch(cases[i].service), cases[i].prefetch);
    }
}

static void the_average_follows(void **state)
{
    uint64_t average = bus_load_average(0, 400);

    (void)state;
    assert_int_equal(average, 400);
    assert_int_equal(bus_load_average(average, 800), 500);
    assert_int_equal(bus_load_average(0, 0), 1);
    for (int i = 0; i < 100; i++) {
        average = bus_load_average(average, 10 * MS);
    }
    assert_in_range(average, 9 * MS, 10 * MS);
}

static void hot_is_sticky(void **state)
{
    (void)state;
    assert_false(bus_load_is_hot(false, 799, 1000));
    assert_true(bus_load_is_hot(false, 800, 1000));
    assert_true(bus_load_is_hot(true, 701, 1000));
    assert_false(bus_load_is_hot(true, 700, 1000));
    assert_false(bus_load_is_hot(true, UINT64_MAX, 0));
}

static void expected_memory_does_not_overflow(void **state)
{
    struct bus_load l = load(65535, 0, false, UINT64_MAX);

    (void)state;
    l.seen_with = 0;
    assert_true(bus_load_expected(&l) > (UINT64_C(1) << 59));
    l.pressure = 3 * MIB;
    l.in_flight = 1;
    assert_int_equal(bus_load_expected(&l), 8 * MIB);
    l.seen_with = 5;
    assert_int_equal(bus_load_expected(&l), 4 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_may_have_one),
        cmocka_unit_test(a_blocked_worker_gets_nothing_behind_it),
        cmocka_unit_test(the_order),
        cmocka_unit_test(equals_take_turns),
        cmocka_unit_test(a_socket_goes_where_the_fewest_are),
        cmocka_unit_test(prequal_counts_the_many),
        cmocka_unit_test(who_fails_is_left_alone),
        cmocka_unit_test(when_all_fail_all_serve),
        cmocka_unit_test(the_heap_finds_the_first),
        cmocka_unit_test(one_alone),
        cmocka_unit_test(prefetch_is_a_short_time_of_work),
        cmocka_unit_test(the_average_follows),
        cmocka_unit_test(hot_is_sticky),
        cmocka_unit_test(expected_memory_does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
