/*
 * How fast memory grows, when the limit is reached, and when to look again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bus/bus_growth.h"

#define MS  UINT64_C(1000000)
#define S   (1000 * MS)
#define MIB (UINT64_C(1) << 20)

/* `rate` bytes a second, seen every `wait`, for `seconds`. */
static void grow(struct bus_growth *g, int64_t rate, uint64_t wait, unsigned seconds)
{
    for (uint64_t t = 0; t < seconds * S; t += wait) {
        int64_t bytes = (int64_t)g->bytes + rate * (int64_t)(wait / MS) / 1000;
        bus_growth_add(g, g->at + wait, bytes > 0 ? (uint64_t)bytes : 0);
    }
}

static void the_rate_is_found(void **state)
{
    static const uint64_t waits[] = {20 * MS, 100 * MS, S};

    (void)state;
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        struct bus_growth g = {.at = 0};
        bus_growth_add(&g, S, 100 * MIB);
        assert_int_equal(g.rate, 0);
        grow(&g, (int64_t)(10 * MIB), waits[i], 12);
        assert_in_range(g.rate, 97 * MIB / 10, 10 * MIB);
        grow(&g, -(int64_t)MIB, waits[i], 14);
        assert_true(g.rate < 0);
    }
}

static void the_limit_is_foreseen(void **state)
{
    struct bus_growth g = {.at = 0};

    (void)state;
    assert_true(bus_growth_to_limit(&g, MIB) == BUS_GROWTH_NEVER);
    g = (struct bus_growth){S, 100 * MIB, (int64_t)(10 * MIB), 0};
    assert_true(bus_growth_to_limit(&g, 0) == BUS_GROWTH_NEVER);
    assert_int_equal(bus_growth_to_limit(&g, 200 * MIB), 10 * S);
    assert_int_equal(bus_growth_to_limit(&g, 100 * MIB), 0);
    g.rate = 0;
    assert_true(bus_growth_to_limit(&g, 200 * MIB) == BUS_GROWTH_NEVER);
    g.rate = -1000000;
    assert_true(bus_growth_to_limit(&g, 200 * MIB) == BUS_GROWTH_NEVER);
    g.rate = 4096;
    assert_true(bus_growth_to_limit(&g, UINT64_MAX) == BUS_GROWTH_NEVER);
}

static void looks_follow_the_growth(void **state)
{
    static const struct {
        int64_t rate;
        uint64_t limit, wait;
    } cases[] = {{0, 200 * MIB, S},
                 {-5, 200 * MIB, S},
                 {1 << 20, 0, S},
                 {100 << 20, 200 * MIB, 500 * MS},
                 {1 << 20, 200 * MIB, S},
                 {1000 << 20, 110 * MIB, 20 * MS},
                 {1 << 20, 90 * MIB, 20 * MS}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bus_growth g = {7 * S, 100 * MIB, cases[i].rate, 0};
        assert_int_equal(bus_growth_next_look(&g, cases[i].limit), 7 * S + cases[i].wait);
    }
}

/* Its rate is known from the second look on, and the looks begin close together. */
static void a_new_one(void **state)
{
    struct bus_growth g = {.at = 0};
    uint64_t before = 0;

    (void)state;
    bus_growth_add(&g, 5 * S, 10 * MIB);
    assert_int_equal(bus_growth_next_look(&g, 0), 5 * S + 20 * MS);
    bus_growth_add(&g, 5 * S + 100 * MS, 20 * MIB);
    assert_in_range(g.rate, 99 * MIB, 101 * MIB);
    assert_int_equal(bus_growth_next_look(&g, 40 * MIB), 5 * S + 200 * MS);
    assert_int_equal(bus_growth_next_look(&g, 30 * MIB), 5 * S + 150 * MS);
    for (unsigned looks = 0; bus_growth_next_look(&g, 0) - g.at < S; looks++) {
        assert_true(looks < 8);
        before = bus_growth_next_look(&g, 0);
        bus_growth_add(&g, before, 20 * MIB);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_is_found),
        cmocka_unit_test(the_limit_is_foreseen),
        cmocka_unit_test(looks_follow_the_growth),
        cmocka_unit_test(a_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
