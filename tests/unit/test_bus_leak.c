/*
 * Whose requests memory grows by: known leaks, noise, and what cannot be told apart.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bus/bus_leak.h"

#define HANDLERS 3
#define SECOND   UINT64_C(1000000000)

static uint32_t seed;

static uint32_t next(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static struct bus_leak leak_of(size_t count)
{
    struct bus_leak leak;
    assert_int_equal(bus_leak_init(&leak, count), 0);
    seed = 1;
    return leak;
}

static void expect(const struct bus_leak *leak, const double *wanted, double within)
{
    double growth[HANDLERS];

    assert_int_equal(bus_leak_solve(leak, growth), 0);
    for (size_t h = 0; h < leak->count; h++) {
        if (growth[h] < wanted[h] - within || growth[h] > wanted[h] + within) {
            fail_msg("handler %zu: %g bytes a request, expected %g", h, growth[h], wanted[h]);
        }
    }
}

/* `looks` at a mixed load, of which each request leaks what it does, with `noise` bytes more or less at each look. */
static uint64_t mix(struct bus_leak *leak, uint64_t now, int looks, const double *leaks, uint32_t noise)
{
    for (int i = 0; i < looks; i++) {
        uint32_t answered[HANDLERS];
        double growth = noise > 0 ? (double)next(2 * noise) - noise : 0;
        for (size_t h = 0; h < HANDLERS; h++) {
            answered[h] = next(64);
            growth += answered[h] * leaks[h];
        }
        bus_leak_add(leak, now += SECOND / 5, answered, growth);
    }
    return now;
}

static void test_of_a_mix(void **state)
{
    static const double leaks[HANDLERS] = {0, 1 << 20, 3000};
    struct bus_leak leak = leak_of(HANDLERS);

    (void)state;
    mix(&leak, SECOND, 50, leaks, 0);
    expect(&leak, leaks, 20);
    bus_leak_fini(&leak);
}

static void test_under_noise(void **state)
{
    static const double leaks[HANDLERS] = {0, 20000, 0};
    struct bus_leak leak = leak_of(HANDLERS);

    (void)state;
    mix(&leak, SECOND, 500, leaks, 1 << 20);
    expect(&leak, leaks, 3000);
    bus_leak_fini(&leak);
}

/* One that was mended, or has broken: what was is forgotten. */
static void test_it_forgets(void **state)
{
    static const double before[HANDLERS] = {10000, 0, 0}, after[HANDLERS] = {0, 0, 10000};
    struct bus_leak leak = leak_of(HANDLERS);
    uint64_t now;

    (void)state;
    now = mix(&leak, SECOND, 500, before, 0);
    mix(&leak, now + 3600 * SECOND, 500, after, 0);
    expect(&leak, after, 1000);
    bus_leak_fini(&leak);
}

static void test_what_cannot_be_told_apart(void **state)
{
    static const double shared[HANDLERS] = {500, 500, 0};
    struct bus_leak leak = leak_of(HANDLERS);

    (void)state;
    for (int i = 0; i < 20; i++) {
        bus_leak_add(&leak, (uint64_t)(i + 1) * SECOND, (const uint32_t[]){10, 10, 0}, 10000);
    }
    expect(&leak, shared, 5);
    bus_leak_fini(&leak);
}

static void test_nothing_known(void **state)
{
    static const double nothing[HANDLERS] = {0, 0, 0};
    struct bus_leak leak = leak_of(HANDLERS), none = leak_of(0);
    double growth;

    (void)state;
    expect(&leak, nothing, 0);
    bus_leak_add(&leak, SECOND, (const uint32_t[]){0, 0, 0}, 1e9); /* nobody's */
    expect(&leak, nothing, 0);
    bus_leak_count(&leak, (const uint32_t[]){1, 2, 3});
    assert_int_equal(leak.answers[2], 3);
    expect(&leak, nothing, 0);
    assert_int_equal(bus_leak_solve(&none, &growth), 0);
    bus_leak_fini(&leak);
    bus_leak_fini(&none);
    bus_leak_fini(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_a_mix),      cmocka_unit_test(test_under_noise),
        cmocka_unit_test(test_it_forgets),    cmocka_unit_test(test_what_cannot_be_told_apart),
        cmocka_unit_test(test_nothing_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
