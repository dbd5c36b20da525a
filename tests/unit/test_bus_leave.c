/*
 * How workers leave: every cell of the table, and when it is time, as tables.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bus/bus_leave.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* What is not listed here must change nothing. */
static const struct {
    enum bus_leave_state state;
    enum bus_leave_event event;
    struct bus_leave_step expected;
} cells[] = {
    {BUS_LEAVE_STAYING, BUS_LEAVE_ON_DUE, {BUS_LEAVE_REPLACING, BUS_LEAVE_DO_CALL}},
    {BUS_LEAVE_STAYING, BUS_LEAVE_ON_ALONE, {BUS_LEAVE_DRAINING, BUS_LEAVE_DO_RETIRE}},
    {BUS_LEAVE_STAYING, BUS_LEAVE_ON_REMOVE, {BUS_LEAVE_DRAINING, BUS_LEAVE_DO_REMOVE}},
    {BUS_LEAVE_STAYING, BUS_LEAVE_ON_HOME, {BUS_LEAVE_HOME, BUS_LEAVE_IGNORE}},
    {BUS_LEAVE_STAYING, BUS_LEAVE_ON_OVER, {BUS_LEAVE_GONE, BUS_LEAVE_DO_KILL_RETIRE}},
    {BUS_LEAVE_STAYING, BUS_LEAVE_ON_BROKEN, {BUS_LEAVE_GONE, BUS_LEAVE_IGNORE}},

    {BUS_LEAVE_REPLACING, BUS_LEAVE_ON_ALONE, {BUS_LEAVE_DRAINING, BUS_LEAVE_DO_REMOVE}},
    {BUS_LEAVE_REPLACING, BUS_LEAVE_ON_READY, {BUS_LEAVE_DRAINING, BUS_LEAVE_DO_REMOVE}},
    {BUS_LEAVE_REPLACING, BUS_LEAVE_ON_LOST, {BUS_LEAVE_STAYING, BUS_LEAVE_DO_DISMISS}},
    {BUS_LEAVE_REPLACING, BUS_LEAVE_ON_TAKEN, {BUS_LEAVE_DRAINING, BUS_LEAVE_DO_REMOVE}},
    {BUS_LEAVE_REPLACING, BUS_LEAVE_ON_REMOVE, {BUS_LEAVE_DRAINING, BUS_LEAVE_DO_REMOVE}},
    {BUS_LEAVE_REPLACING, BUS_LEAVE_ON_HOME, {BUS_LEAVE_HOME, BUS_LEAVE_IGNORE}},
    {BUS_LEAVE_REPLACING, BUS_LEAVE_ON_OVER, {BUS_LEAVE_GONE, BUS_LEAVE_DO_KILL_REMOVE}},
    {BUS_LEAVE_REPLACING, BUS_LEAVE_ON_BROKEN, {BUS_LEAVE_GONE, BUS_LEAVE_DO_GIVE_UP}},
    {BUS_LEAVE_REPLACING, BUS_LEAVE_ON_REAPED, {BUS_LEAVE_STAYING, BUS_LEAVE_DO_GIVE_UP}},

    {BUS_LEAVE_DRAINING, BUS_LEAVE_ON_REMOVE, {BUS_LEAVE_DRAINING, BUS_LEAVE_DO_REMOVE}},
    {BUS_LEAVE_DRAINING, BUS_LEAVE_ON_HOME, {BUS_LEAVE_HOME, BUS_LEAVE_IGNORE}},
    {BUS_LEAVE_DRAINING, BUS_LEAVE_ON_OVER, {BUS_LEAVE_GONE, BUS_LEAVE_DO_KILL}},
    {BUS_LEAVE_DRAINING, BUS_LEAVE_ON_BROKEN, {BUS_LEAVE_GONE, BUS_LEAVE_IGNORE}},
    {BUS_LEAVE_DRAINING, BUS_LEAVE_ON_REAPED, {BUS_LEAVE_STAYING, BUS_LEAVE_IGNORE}},

    {BUS_LEAVE_HOME, BUS_LEAVE_ON_REMOVE, {BUS_LEAVE_HOME, BUS_LEAVE_DO_GIVE_UP}},
    {BUS_LEAVE_HOME, BUS_LEAVE_ON_OVER, {BUS_LEAVE_GONE, BUS_LEAVE_DO_KILL}},
    {BUS_LEAVE_HOME, BUS_LEAVE_ON_BROKEN, {BUS_LEAVE_GONE, BUS_LEAVE_IGNORE}},
    {BUS_LEAVE_HOME, BUS_LEAVE_ON_REAPED, {BUS_LEAVE_STAYING, BUS_LEAVE_IGNORE}},

    {BUS_LEAVE_GONE, BUS_LEAVE_ON_REMOVE, {BUS_LEAVE_GONE, BUS_LEAVE_DO_GIVE_UP}},
    {BUS_LEAVE_GONE, BUS_LEAVE_ON_REAPED, {BUS_LEAVE_STAYING, BUS_LEAVE_IGNORE}},
};

static struct bus_leave_step expected(enum bus_leave_state state, enum bus_leave_event event)
{
    struct bus_leave_step stay = {state, BUS_LEAVE_IGNORE};

    for (size_t i = 0; i < ROWS(cells); i++) {
        if (cells[i].state == state && cells[i].event == event) {
            return cells[i].expected;
        }
    }
    return stay;
}

static void test_every_cell(void **state)
{
    (void)state;
    for (int s = 0; s < BUS_LEAVE_STATES; s++) {
        for (int e = 0; e < BUS_LEAVE_EVENTS; e++) {
            struct bus_leave_step is = bus_leave_next((enum bus_leave_state)s, (enum bus_leave_event)e);
            struct bus_leave_step want = expected((enum bus_leave_state)s, (enum bus_leave_event)e);
            if (is.next != want.next || is.action != want.action) {
                fail_msg("state %d, event %d: next %d action %d, expected %d %d", s, e, (int)is.next,
                         (int)is.action, (int)want.next, (int)want.action);
            }
        }
    }
}

/* Whatever happens, the next one in the place begins anew; and nothing brings one back that has been told to go. */
static void test_each_one_ends(void **state)
{
    (void)state;
    for (int s = 0; s < BUS_LEAVE_STATES; s++) {
        assert_int_equal(bus_leave_next((enum bus_leave_state)s, BUS_LEAVE_ON_REAPED).next,
                         BUS_LEAVE_STAYING);
        for (int e = 0; e < BUS_LEAVE_EVENTS && s >= BUS_LEAVE_DRAINING; e++) {
            int next = (int)bus_leave_next((enum bus_leave_state)s, (enum bus_leave_event)e).next;
            assert_true(next >= s || e == BUS_LEAVE_ON_REAPED);
        }
    }
}

static void test_levels(void **state)
{
    static const struct {
        uint64_t bytes, limit;
        enum bus_leave_level level;
    } rows[] = {
        {1000, 0, BUS_LEAVE_BELOW},      {999, 1000, BUS_LEAVE_BELOW},
        {1000, 1000, BUS_LEAVE_BELOW},   {1001, 1000, BUS_LEAVE_OVER},
        {1250, 1000, BUS_LEAVE_OVER},    {1251, 1000, BUS_LEAVE_URGENT},
        {1500, 1000, BUS_LEAVE_URGENT},  {1501, 1000, BUS_LEAVE_HARD},
        {UINT64_MAX, 1, BUS_LEAVE_HARD}, {UINT64_MAX, UINT64_MAX, BUS_LEAVE_BELOW},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        if (bus_leave_level(rows[i].bytes, rows[i].limit) != rows[i].level) {
            fail_msg("row %zu", i);
        }
    }
}

static void test_a_quarter(void **state)
{
    static const size_t bounds[][2] = {{0, 1}, {1, 1}, {4, 1}, {7, 1}, {8, 2}, {11, 2}, {12, 3}, {1024, 256}};
    (void)state;
    for (size_t i = 0; i < ROWS(bounds); i++) {
        assert_int_equal(bus_leave_bound(bounds[i][0]), bounds[i][1]);
    }
}

/* Between three quarters and all of it; siblings lie apart, and so do those that came at the same time in one place. */
static void test_jitter(void **state)
{
    uint64_t values[32];

    (void)state;
    for (uint32_t i = 0; i < 32; i++) {
        values[i] = bus_leave_jitter(1000000, i, 0);
        assert_in_range(values[i], 750000, 1000000);
        assert_int_equal(values[i], bus_leave_jitter(1000000, i, 0));
        assert_int_not_equal(values[i], bus_leave_jitter(1000000, i, 1));
        for (uint32_t k = 0; k < i; k++) {
            uint64_t apart = values[i] > values[k] ? values[i] - values[k] : values[k] - values[i];
            if (apart < 3000) {
                fail_msg("%u and %u are %llu apart", k, i, (unsigned long long)apart);
            }
        }
    }
    assert_int_equal(bus_leave_jitter(1, 3, 3), 1);
    assert_int_equal(bus_leave_jitter(UINT64_MAX, 0, 0), UINT64_MAX);
}

static void test_when_it_is_time(void **state)
{
    enum { GOES_ON = -1, DUE = BUS_LEAVE_ON_DUE, ALONE = BUS_LEAVE_ON_ALONE };
    static const struct {
        const char *what;
        int choice;
        struct bus_leave_facts facts;
    } rows[] = {
#define FACTS(state, reason, urgent, away, count, start, room) \
    {BUS_LEAVE_##state, BUS_LEAVE_FOR_##reason, urgent, away, count, start, room}
        {"the rule", DUE, FACTS(STAYING, MEMORY, false, 0, 4, true, true)},
        {"the only one", DUE, FACTS(STAYING, REQUESTS, false, 0, 1, true, true)},
        {"urgent from the start", DUE, FACTS(STAYING, MEMORY, true, 0, 4, true, true)},
        {"another one leaves", GOES_ON, FACTS(STAYING, MEMORY, false, 1, 4, true, true)},
        {"even if it is urgent", GOES_ON, FACTS(STAYING, MEMORY, true, 1, 4, true, true)},
        {"of eight two may", DUE, FACTS(STAYING, AGE, false, 1, 8, true, true)},
        {"and no third", GOES_ON, FACTS(STAYING, AGE, false, 2, 8, true, true)},
        {"no room: it goes first", ALONE, FACTS(STAYING, MEMORY, false, 0, 4, true, false)},
        {"no room, and no hurry", GOES_ON, FACTS(STAYING, AGE, false, 0, 4, true, false)},
        {"no room, and no hurry", GOES_ON, FACTS(STAYING, REQUESTS, false, 0, 4, true, false)},
        {"no start: it goes on", GOES_ON, FACTS(STAYING, MEMORY, false, 0, 4, false, true)},
        {"until it is urgent", ALONE, FACTS(STAYING, MEMORY, true, 0, 4, false, true)},
        {"which age never is", GOES_ON, FACTS(STAYING, AGE, true, 0, 4, false, true)},
        {"neither", ALONE, FACTS(STAYING, MEMORY, false, 0, 4, false, false)},
        {"it waits for its successor", GOES_ON, FACTS(REPLACING, MEMORY, false, 1, 4, true, true)},
        {"not when it is urgent", ALONE, FACTS(REPLACING, MEMORY, true, 1, 4, true, true)},
        {"which age never is", GOES_ON, FACTS(REPLACING, AGE, true, 1, 4, true, true)},
        {"it leaves already", GOES_ON, FACTS(DRAINING, MEMORY, true, 0, 4, true, true)},
        {"it leaves already", GOES_ON, FACTS(HOME, MEMORY, true, 0, 4, true, true)},
        {"it is dead", GOES_ON, FACTS(GONE, MEMORY, true, 0, 4, true, true)},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        int choice = bus_leave_choose(&rows[i].facts);
        if (choice != rows[i].choice) {
            fail_msg("row %zu, %s: %d, expected %d", i, rows[i].what, choice, rows[i].choice);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cell), cmocka_unit_test(test_each_one_ends),
        cmocka_unit_test(test_levels),     cmocka_unit_test(test_a_quarter),
        cmocka_unit_test(test_jitter),     cmocka_unit_test(test_when_it_is_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
