/*
 * Who may wait, by table; how long that should take; and how fast a queue drains.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bus/bus_admit.h"
#include "bus/bus_drain.h"

#define MS UINT64_C(1000000)

#define NO BUS_ADMIT_UNBOUNDED
#define BOUND(used, limit) \
    {                      \
        used, used, limit  \
    }
#define BOUNDS(a, b, c, d) .bounds = {BOUND(a, 100), BOUND(b, 1000), BOUND(c, 200), BOUND(d, NO)}
#define UNTIMED            .in_queue = NO, .in_all = NO
#define TIME(wait_, queue_, all_) \
    .wait = (wait_)*MS, .service = 10 * MS, .in_queue = (queue_)*MS, .in_all = (all_)*MS
#define OF(own_, queued_, clients_) .own = (own_), .queued = (queued_), .clients = (clients_)

static void decisions(void **state)
{
    static const struct {
        struct bus_admit facts;
        enum bus_shed expected;
    } cases[] = {
        {{BOUNDS(1, 1, 1, 1), UNTIMED}, BUS_SHED_NONE},
        {{BOUNDS(100, 1000, 200, NO), UNTIMED}, BUS_SHED_NONE},
        {{BOUNDS(101, 1, 1, 1), UNTIMED}, BUS_SHED_FULL},
        {{BOUNDS(1, 1001, 1, 1), UNTIMED}, BUS_SHED_FULL},
        {{BOUNDS(1, 1, 201, 1), UNTIMED}, BUS_SHED_FULL},
        /* what is kept for those of its priority, of each bound */
        {{.bounds = {{500, 6, 100}, {5000, 62, 1000}, {500, 12, 200}, {9, 9, NO}}, UNTIMED}, BUS_SHED_NONE},
        {{.bounds = {{500, 7, 100}, {5000, 62, 1000}, {500, 12, 200}, {9, 9, NO}}, UNTIMED}, BUS_SHED_FULL},
        {{.bounds = {{500, 6, 100}, {5000, 63, 1000}, {500, 12, 200}, {9, 9, NO}}, UNTIMED}, BUS_SHED_FULL},
        {{.bounds = {{500, 6, 100}, {5000, 62, 1000}, {500, 13, 200}, {9, 9, NO}}, UNTIMED}, BUS_SHED_FULL},
        /* a quarter more than was measured has to fit, and three times the service */
        {{BOUNDS(1, 1, 1, 1), TIME(80, 100, 999)}, BUS_SHED_NONE},
        {{BOUNDS(1, 1, 1, 1), TIME(81, 100, 999)}, BUS_SHED_HOPELESS},
        {{BOUNDS(1, 1, 1, 1), TIME(80, 999, 130)}, BUS_SHED_NONE},
        {{BOUNDS(1, 1, 1, 1), TIME(80, 999, 129)}, BUS_SHED_HOPELESS},
        {{BOUNDS(1, 1, 1, 1), TIME(0, 0, 0)}, BUS_SHED_NONE}, /* nothing is known */
        {{BOUNDS(1, 1, 1, 1), .wait = 1000000 * MS, UNTIMED, OF(5, 5, 1)}, BUS_SHED_NONE},
        /* alone: up to a half of any bound, or of the time */
        {{BOUNDS(50, 1, 1, 1), UNTIMED, OF(49, 49, 1)}, BUS_SHED_NONE},
        {{BOUNDS(51, 1, 1, 1), UNTIMED, OF(50, 50, 1)}, BUS_SHED_UNFAIR},
        {{BOUNDS(1, 501, 1, 1), UNTIMED, OF(50, 50, 1)}, BUS_SHED_UNFAIR},
        {{BOUNDS(1, 1, 101, 1), UNTIMED, OF(50, 50, 1)}, BUS_SHED_UNFAIR},
        {{BOUNDS(1, 1, 1, 1), TIME(41, 100, 999), OF(50, 50, 1)}, BUS_SHED_UNFAIR},
        {{BOUNDS(1, 1, 1, 1), TIME(41, 999, 100), OF(50, 50, 1)}, BUS_SHED_UNFAIR},
        {{BOUNDS(1, 1, 1, 1), TIME(40, 100, 100), OF(50, 50, 1)}, BUS_SHED_NONE},
        /* who has nothing waiting, or is nobody, may have the rest */
        {{BOUNDS(51, 1, 1, 1), UNTIMED, OF(0, 50, 1)}, BUS_SHED_NONE},
        {{BOUNDS(100, 1, 1, 1), UNTIMED, OF(0, 99, 1)}, BUS_SHED_NONE},
        /* two alike, and one that has twice its share */
        {{BOUNDS(61, 1, 1, 1), UNTIMED, OF(30, 60, 2)}, BUS_SHED_NONE},
        {{BOUNDS(61, 1, 1, 1), UNTIMED, OF(39, 60, 2)}, BUS_SHED_NONE},
        {{BOUNDS(61, 1, 1, 1), UNTIMED, OF(40, 60, 2)}, BUS_SHED_UNFAIR},
        {{BOUNDS(61, 1, 1, 1), UNTIMED, OF(12, 60, 9)}, BUS_SHED_UNFAIR},
        {{BOUNDS(61, 1, 1, 1), UNTIMED, OF(11, 60, 9)}, BUS_SHED_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum bus_shed found = bus_admit_decide(&cases[i].facts);
        if (found != cases[i].expected) {
            fail_msg("case %zu: found %d, expected %d", i, (int)found, (int)cases[i].expected);
        }
    }
}

static void waits(void **state)
{
    static const struct {
        struct bus_admit_line line;
        uint64_t expected;
    } cases[] = {
        {{.gap = 0, .ahead = 1000, .one_in = 16}, 0},
        {{.gap = 5, .ahead = 9, .one_in = 16}, 50},
        /* low ones, of which few are sent */
        {{.gap = 5, .level_gap = 70, .ahead = 9, .level = 3, .one_in = 16}, 280},
        /* but no fewer than are promised */
        {{.gap = 5, .level_gap = 999, .ahead = 9, .level = 3, .one_in = 16}, 320},
        {{.gap = 5, .level_gap = 5, .ahead = 9999, .level = 3, .one_in = 16}, 320},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(bus_admit_wait(&cases[i].line), cases[i].expected);
    }
}

static void what_waits_tells_the_rate(void **state)
{
    struct bus_drain drain = {0};
    uint64_t now = 1000 * MS;

    (void)state;
    for (int i = 0; i < 100; i++) { /* nothing waits */
        bus_drain_left(&drain, now += MS);
    }
    assert_true(drain.gap == 0);
    bus_drain_waits(&drain, now, true);
    for (int i = 0; i < 49; i++) {
        bus_drain_left(&drain, now += MS);
    }
    assert_true(drain.gap == 0);        /* too short */
    bus_drain_waits(&drain, now, true); /* goes on */
    bus_drain_left(&drain, now += MS);
    assert_true(drain.gap == MS);
    /* twice as slow from now on: by a quarter each time */
    for (int i = 0; i < 25; i++) {
        bus_drain_left(&drain, now += 2 * MS);
    }
    assert_true(drain.gap == MS + MS / 4);
    for (int i = 0; i < 500; i++) {
        bus_drain_left(&drain, now += 2 * MS);
    }
    assert_in_range(drain.gap, 2 * MS - MS / 20, 2 * MS);
    /* it has emptied */
    bus_drain_waits(&drain, now, false);
    assert_true(drain.gap == 0);
    bus_drain_waits(&drain, now, true);
    bus_drain_left(&drain, now += 500 * MS);
    assert_true(drain.gap == 0); /* too few */
    bus_drain_left(&drain, now += 500 * MS);
    assert_true(drain.gap == 500 * MS);
    bus_drain_left(&drain, now += 1000000 * MS);
    assert_in_range(drain.gap, 15375 * MS - 1, 15375 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(decisions), cmocka_unit_test(waits),
                                       cmocka_unit_test(what_waits_tells_the_rate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
