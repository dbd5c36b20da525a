/*
 * The restart policy, by table, and against a model that keeps every restart there ever was.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <lpm/module.h>

#include "base/clock.h"
#include "master/master_restart.h"

#define S CLOCK_NS_PER_S

struct row {
    int64_t limit, interval_ms;
    uint64_t noted[8]; /* instants, 0 ends */
    uint64_t now, when;
};

static const struct row rows[] = {
    {5, 120000, {0}, 1 * S, 1 * S},
    {1, 120000, {10 * S}, 20 * S, 130 * S},
    {1, 120000, {10 * S}, 130 * S - 1, 130 * S},
    {1, 120000, {10 * S}, 130 * S, 130 * S}, /* the window has left it behind */
    {2, 120000, {10 * S}, 20 * S, 20 * S},
    {2, 120000, {10 * S, 15 * S}, 20 * S, 130 * S},
    {2, 120000, {10 * S, 15 * S, 131 * S}, 132 * S, 135 * S},
    {2, 120000, {10 * S, 10 * S}, 10 * S, 130 * S}, /* both of one instant count */
    {0, 120000, {0}, 7 * S, MASTER_RESTART_NEVER},
    {LPM_NONE, 120000, {1 * S, 1 * S, 1 * S}, 1 * S, 1 * S},
    {2, LPM_NONE, {1 * S}, 1000000 * S, 1000000 * S},
    {2, LPM_NONE, {1 * S, 2 * S}, 1000000 * S, MASTER_RESTART_NEVER},
    {1, 0, {5 * S}, 5 * S, 5 * S}, /* no interval has more than none */
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct master_restart restart;
        uint64_t when;

        master_restart_init(&restart, row->limit, row->interval_ms);
        for (size_t n = 0; row->noted[n]; n++) {
            assert_int_equal(master_restart_note(&restart, row->noted[n]), 0);
        }
        when = master_restart_when(&restart, row->now);
        if (when != row->when) {
            fail_msg("row %zu: %llu, expected %llu", i, (unsigned long long)when,
                     (unsigned long long)row->when);
        }
        master_restart_fini(&restart);
    }
}

#define STEPS 3000

/* The first instant from `now` on at which fewer than `limit` of all restarts are younger than `interval`. */
static uint64_t naive_when(const uint64_t *all, size_t count, uint64_t limit, uint64_t interval, uint64_t now)
{
    uint64_t best = MASTER_RESTART_NEVER;

    for (size_t candidate = 0; candidate <= count; candidate++) {
        uint64_t at = candidate == count ? now : all[candidate] + interval;
        uint64_t young = 0;
        if (at < now) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            young += all[i] + interval > at;
        }
        if (young < limit && at < best) {
            best = at;
        }
    }
    return best;
}

static void test_against_model(void **state)
{
    static uint64_t all[STEPS];
    uint32_t random = 12345;

    (void)state;
    for (int64_t limit = 1; limit <= 20; limit += 1 + limit / 2) {
        struct master_restart restart;
        uint64_t now = 1;
        size_t count = 0;

        master_restart_init(&restart, limit, 1);
        for (int step = 0; step < STEPS / 4; step++) {
            uint64_t when;
            random = random * 1664525u + 1013904223u;
            now += (random >> 16) % (2 * CLOCK_NS_PER_MS / (uint64_t)limit);
            when = master_restart_when(&restart, now);
            assert_true(when == naive_when(all, count, (uint64_t)limit, CLOCK_NS_PER_MS, now));
            if (when > now && random & 0x1000) {
                now = when;
                when = master_restart_when(&restart, now);
            }
            if (when == now) {
                assert_int_equal(master_restart_note(&restart, now), 0);
                all[count++] = now;
            }
        }
        assert_true(count > 100);
        master_restart_fini(&restart);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
