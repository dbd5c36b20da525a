/*
 * The table of a generation's life: every cell. What is not listed here must change nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "master/master_state.h"

struct cell {
    enum master_state state;
    enum master_event event;
    struct master_transition expected;
};

static const struct cell cells[] = {
    {MASTER_NEW, MASTER_ON_START, {MASTER_TRIAL, MASTER_DO_TRIAL}},
    {MASTER_NEW, MASTER_ON_RESTART, {MASTER_STARTING, MASTER_DO_START}},
    {MASTER_NEW, MASTER_ON_RETIRE, {MASTER_GONE, MASTER_DO_FINISH}},
    {MASTER_NEW, MASTER_ON_SOFT_KILL, {MASTER_GONE, MASTER_DO_FINISH}},
    {MASTER_NEW, MASTER_ON_HARD_KILL, {MASTER_GONE, MASTER_DO_FINISH}},

    {MASTER_TRIAL, MASTER_ON_TRIAL_OK, {MASTER_STARTING, MASTER_DO_START}},
    {MASTER_TRIAL, MASTER_ON_TRIAL_FAILED, {MASTER_GONE, MASTER_DO_FINISH}},
    {MASTER_TRIAL, MASTER_ON_RETIRE, {MASTER_KILLING, MASTER_DO_SIGKILL}},
    {MASTER_TRIAL, MASTER_ON_SOFT_KILL, {MASTER_KILLING, MASTER_DO_SIGKILL}},
    {MASTER_TRIAL, MASTER_ON_HARD_KILL, {MASTER_KILLING, MASTER_DO_SIGKILL}},

    {MASTER_STARTING, MASTER_ON_ONLINE, {MASTER_PROBATION, MASTER_DO_PROMOTE}},
    {MASTER_STARTING, MASTER_ON_WORKER_DIED, {MASTER_KILLING, MASTER_DO_HARD_KILL}},
    {MASTER_STARTING, MASTER_ON_START_FAILED, {MASTER_KILLING, MASTER_DO_HARD_KILL}},
    {MASTER_STARTING, MASTER_ON_BUS_DIED, {MASTER_KILLING, MASTER_DO_SIGKILL}},
    {MASTER_STARTING, MASTER_ON_RETIRE, {MASTER_KILLING, MASTER_DO_HARD_KILL}},
    {MASTER_STARTING, MASTER_ON_SOFT_KILL, {MASTER_KILLING, MASTER_DO_HARD_KILL}},
    {MASTER_STARTING, MASTER_ON_HARD_KILL, {MASTER_KILLING, MASTER_DO_HARD_KILL}},

    {MASTER_PROBATION, MASTER_ON_PROBATION_OVER, {MASTER_ACTIVE, MASTER_DO_PROVE}},
    {MASTER_PROBATION, MASTER_ON_WORKER_DIED, {MASTER_PROBATION, MASTER_DO_REPLACE}},
    {MASTER_PROBATION, MASTER_ON_EXHAUSTED, {MASTER_FAILING, MASTER_DO_REPLACE}},
    {MASTER_PROBATION, MASTER_ON_BUS_DIED, {MASTER_KILLING, MASTER_DO_SIGKILL}},
    {MASTER_PROBATION, MASTER_ON_RETIRE, {MASTER_DRAINING, MASTER_DO_RETIRE}},
    {MASTER_PROBATION, MASTER_ON_SOFT_KILL, {MASTER_DRAINING, MASTER_DO_DRAIN}},
    {MASTER_PROBATION, MASTER_ON_HARD_KILL, {MASTER_KILLING, MASTER_DO_HARD_KILL}},

    {MASTER_ACTIVE, MASTER_ON_WORKER_DIED, {MASTER_ACTIVE, MASTER_DO_REPLACE}},
    {MASTER_ACTIVE, MASTER_ON_BUS_DIED, {MASTER_KILLING, MASTER_DO_SIGKILL}},
    {MASTER_ACTIVE, MASTER_ON_RETIRE, {MASTER_DRAINING, MASTER_DO_RETIRE}},
    {MASTER_ACTIVE, MASTER_ON_SOFT_KILL, {MASTER_DRAINING, MASTER_DO_DRAIN}},
    {MASTER_ACTIVE, MASTER_ON_HARD_KILL, {MASTER_KILLING, MASTER_DO_HARD_KILL}},

    {MASTER_FAILING, MASTER_ON_WORKER_DIED, {MASTER_FAILING, MASTER_DO_REPLACE}},
    {MASTER_FAILING, MASTER_ON_BUS_DIED, {MASTER_KILLING, MASTER_DO_SIGKILL}},
    {MASTER_FAILING, MASTER_ON_RETIRE, {MASTER_DRAINING, MASTER_DO_RETIRE}},
    {MASTER_FAILING, MASTER_ON_SOFT_KILL, {MASTER_DRAINING, MASTER_DO_DRAIN}},
    {MASTER_FAILING, MASTER_ON_HARD_KILL, {MASTER_KILLING, MASTER_DO_HARD_KILL}},

    {MASTER_DRAINING, MASTER_ON_WORKER_DIED, {MASTER_DRAINING, MASTER_DO_REPLACE}},
    {MASTER_DRAINING, MASTER_ON_BUS_DIED, {MASTER_KILLING, MASTER_DO_SIGKILL}},
    {MASTER_DRAINING, MASTER_ON_HARD_KILL, {MASTER_KILLING, MASTER_DO_HARD_KILL}},
    {MASTER_DRAINING, MASTER_ON_RELEASED, {MASTER_RELEASED, MASTER_DO_RELEASE}},
    {MASTER_DRAINING, MASTER_ON_DRAIN_TIMEOUT, {MASTER_KILLING, MASTER_DO_CUT}},

    {MASTER_RELEASED, MASTER_ON_BUS_DIED, {MASTER_KILLING, MASTER_DO_SIGKILL}},
    {MASTER_RELEASED, MASTER_ON_HARD_KILL, {MASTER_KILLING, MASTER_DO_HARD_KILL}},
    {MASTER_RELEASED, MASTER_ON_DRAIN_TIMEOUT, {MASTER_KILLING, MASTER_DO_CUT}},

    {MASTER_KILLING, MASTER_ON_KILL_TIMEOUT, {MASTER_KILLING, MASTER_DO_SIGKILL}},
    {MASTER_KILLING, MASTER_ON_EMPTY, {MASTER_GONE, MASTER_DO_FINISH}},

};

static struct master_transition expected(enum master_state state, enum master_event event)
{
    struct master_transition stay = {state, MASTER_IGNORE};

    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
        if (cells[i].state == state && cells[i].event == event) {
            return cells[i].expected;
        }
    }
    return stay;
}

static void test_every_cell(void **state)
{
    (void)state;
    for (int s = 0; s < MASTER_STATES; s++) {
        for (int e = 0; e < MASTER_EVENTS; e++) {
            struct master_transition is = master_state_next((enum master_state)s, (enum master_event)e);
            struct master_transition want = expected((enum master_state)s, (enum master_event)e);
            if (is.next != want.next || is.action != want.action) {
                fail_msg("%s, event %d: next %s action %d, expected %s %d",
                         master_state_name((enum master_state)s), e, master_state_name(is.next), is.action,
                         master_state_name(want.next), want.action);
            }
        }
    }
}

/* From each state a hard kill leads to GONE, whatever else happens on the way, once its processes are gone. */
static void test_hard_kill_ends_all(void **state)
{
    (void)state;
    for (int s = 0; s < MASTER_STATES; s++) {
        for (int e = 0; e < MASTER_EVENTS; e++) {
            enum master_state at = master_state_next((enum master_state)s, MASTER_ON_HARD_KILL).next;
            at = master_state_next(at, (enum master_event)e).next;
            at = master_state_next(at, MASTER_ON_EMPTY).next;
            assert_int_equal(at, MASTER_GONE);
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(master_state_name(MASTER_NEW), "new");
    assert_string_equal(master_state_name(MASTER_GONE), "gone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cell),
        cmocka_unit_test(test_hard_kill_ends_all),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
