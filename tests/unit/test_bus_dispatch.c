/*
 * Which worker gets the next request.
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
    struct bus_load l = {.ready = true,
                         .running = running,
                         .in_flight = in_flight,
                         .unstarted = unstarted,
                         .concurrency = 100,
                         .pressure = pressure};
    return l;
}

static void nobody_may_have_one(void **state)
{
    struct bus_load loads[2] = {load(0, 0, false, 0), load(1, 0, true, 0)};

    (void)state;
    assert_int_equal(bus_dispatch_pick(loads, 0, 0, false), -1);
    loads[0].ready = false;
    assert_int_equal(bus_dispatch_pick(loads, 2, 0, false), -1);
    loads[0] = load(100, 0, false, 0);
    assert_int_equal(bus_dispatch_pick(loads, 2, 0, false), -1);
}

static void a_blocked_worker_gets_nothing_behind_it(void **state)
{
    struct bus_load loads[2] = {load(1, 0, true, 0), load(1, 0, true, 0)};

    (void)state;
    loads[0].service = 2 * MS;
    loads[1].service = 0; /* not known yet */
    assert_int_equal(bus_dispatch_pick(loads, 2, 0, false), -1);
    loads[1].service = MS / 2;
    assert_int_equal(bus_dispatch_pick(loads, 2, 0, false), 1);
}

static void the_order(void **state)
{
    static const struct {
        const char *why;
        struct bus_load a, b;
        int pick;
    } cases[] = {
        {"idle before loaded, whatever the pressure",
         {true, false, 0, 0, 0, 100, 10, 50 * MIB, 0},
         {true, false, 1, 0, 0, 100, 10, 0, 0},
         0},
        {"below its limit before hot",
         {true, false, 0, 0, 0, 100, 10, 80 * MIB, 100 * MIB},
         {true, false, 3, 0, 0, 100, 10, 79 * MIB, 100 * MIB},
         1},
        {"the fewest before it",
         {true, true, 5, 4, 0, 100, 1000, 1, 0},
         {true, true, 9, 3, 0, 100, 1000, 2, 0},
         1},
        {"least pressure among the idle",
         {true, false, 0, 0, 0, 100, 10, 3 * MIB, 0},
         {true, false, 0, 0, 0, 100, 10, 2 * MIB, 0},
         1},
        {"then the fewest in flight",
         {true, false, 4, 0, 0, 100, 10, MIB, 0},
         {true, false, 3, 0, 0, 100, 10, MIB, 0},
         1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bus_load there[2] = {cases[i].a, cases[i].b}, back[2] = {cases[i].b, cases[i].a};
        print_message("%s\n", cases[i].why);
        for (size_t last = 0; last < 2; last++) {
            assert_int_equal(bus_dispatch_pick(there, 2, last, false), cases[i].pick);
            assert_int_equal(bus_dispatch_pick(back, 2, last, false), 1 - cases[i].pick);
        }
    }
}

static void equals_take_turns(void **state)
{
    struct bus_load loads[3] = {load(0, 0, false, 7), load(0, 0, false, 7), load(0, 0, false, 7)};

    (void)state;
    assert_int_equal(bus_dispatch_pick(loads, 3, 0, false), 1);
    assert_int_equal(bus_dispatch_pick(loads, 3, 1, false), 2);
    assert_int_equal(bus_dispatch_pick(loads, 3, 2, false), 0);
}

static void a_socket_goes_where_the_fewest_are(void **state)
{
    struct bus_load loads[2] = {load(0, 0, false, 0), load(3, 0, false, 9 * MIB)};

    (void)state;
    loads[0].sockets = 2;
    loads[1].sockets = 1;
    assert_int_equal(bus_dispatch_pick(loads, 2, 0, true), 1);
    assert_int_equal(bus_dispatch_pick(loads, 2, 0, false), 0);
    loads[1].sockets = 2;
    assert_int_equal(bus_dispatch_pick(loads, 2, 1, true), 0);
}

static void prefetch_is_a_millisecond_of_work(void **state)
{
    static const struct {
        uint64_t service;
        uint32_t prefetch;
    } cases[] = {{0, 0},      {1, 64}, {15 * 1000, 64}, {16 * 1000, 62}, {100 * 1000, 10},
                 {MS - 1, 1}, {MS, 0}, {MS + 1, 0},     {UINT64_MAX, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(bus_dispatch_prefetch(cases[i].service), cases[i].prefetch);
    }
}

static void the_average_follows(void **state)
{
    uint64_t average = bus_dispatch_average(0, 400);

    (void)state;
    assert_int_equal(average, 400);
    assert_int_equal(bus_dispatch_average(average, 800), 500);
    assert_int_equal(bus_dispatch_average(0, 0), 1);
    for (int i = 0; i < 100; i++) {
        average = bus_dispatch_average(average, 10 * MS);
    }
    assert_in_range(average, 9 * MS, 10 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_may_have_one),
        cmocka_unit_test(a_blocked_worker_gets_nothing_behind_it),
        cmocka_unit_test(the_order),
        cmocka_unit_test(equals_take_turns),
        cmocka_unit_test(a_socket_goes_where_the_fewest_are),
        cmocka_unit_test(prefetch_is_a_millisecond_of_work),
        cmocka_unit_test(the_average_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
