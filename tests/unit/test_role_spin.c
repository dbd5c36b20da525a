/*
 * When a loop looks on instead of sleeping.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "role/role_spin.h"

#define WINDOW 50000u

static void off(void **state)
{
    static const struct {
        unsigned us, processors;
    } cases[] = {{0, 8}, {50, 1}, {0, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct role_spin spin;
        role_spin_init(&spin, cases[i].us, cases[i].processors);
        for (uint64_t events = 0; events < 10; events++) {
            assert_true(role_spin_may_sleep(&spin, events, events));
        }
    }
}

static void one_window(void **state)
{
    struct role_spin spin;

    (void)state;
    role_spin_init(&spin, 50, 2);
    assert_true(role_spin_may_sleep(&spin, 0, 1000)); /* nothing has happened yet */
    assert_false(role_spin_may_sleep(&spin, 1, 1000));
    assert_false(role_spin_may_sleep(&spin, 1, 1000 + WINDOW - 1));
    assert_false(role_spin_may_sleep(&spin, 2, 1000 + WINDOW - 1)); /* found: a new one */
    assert_false(role_spin_may_sleep(&spin, 2, 1000 + 2 * WINDOW - 2));
    assert_true(role_spin_may_sleep(&spin, 2, 1000 + 2 * WINDOW - 1));
    assert_true(role_spin_may_sleep(&spin, 2, 1000 + 2 * WINDOW)); /* asleep until something happens */
}

/* Something happens every millisecond: the share of the time that is spent looking. */
static void in_vain(void **state)
{
    struct role_spin spin;
    unsigned windows = 0, late = 0;

    (void)state;
    role_spin_init(&spin, 50, 2);
    for (uint64_t events = 1; events <= 20000; events++) {
        uint64_t now = events * 1000000;
        if (!role_spin_may_sleep(&spin, events, now)) {
            windows++;
            late += events > 1000;
            assert_true(role_spin_may_sleep(&spin, events, now + WINDOW));
        }
    }
    assert_in_range(windows, 8, 100);
    assert_in_range(late, 19000 / 256 - 1, 19000 / 256 + 1); /* 50 us in 256 ms */
}

/* It tries again, and one that pays brings it back at once. */
static void comes_back(void **state)
{
    struct role_spin spin;
    uint64_t now = 0, events = 0;

    (void)state;
    role_spin_init(&spin, 50, 2);
    for (unsigned misses = 0; misses < ROLE_SPIN_MISSES_MAX + 3;) {
        if (!role_spin_may_sleep(&spin, ++events, now += 1000000)) {
            assert_true(role_spin_may_sleep(&spin, events, now += WINDOW));
            misses++;
        }
    }
    for (unsigned i = 0; i < (1u << ROLE_SPIN_MISSES_MAX) - 1; i++) {
        assert_true(role_spin_may_sleep(&spin, ++events, now += 1000000));
    }
    for (unsigned i = 0; i < 100; i++) {
        assert_false(role_spin_may_sleep(&spin, ++events, now += 10000));
    }
    assert_true(role_spin_may_sleep(&spin, events, now += WINDOW));
    assert_true(role_spin_may_sleep(&spin, ++events, now += 1000000)); /* one is left out */
    assert_false(role_spin_may_sleep(&spin, ++events, now += 1000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off),
        cmocka_unit_test(one_window),
        cmocka_unit_test(in_vain),
        cmocka_unit_test(comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
