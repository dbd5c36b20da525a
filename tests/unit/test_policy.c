/*
 * core/ipc/policy: each cell.
 */
#include "ipc/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* Three letters, a phase each: s(tarting), s(erving), d(raining), or - where it is refused. */
static const struct {
    int type;
    const char *master, *bus, *worker;
} frames[] =
    {
        {0, "---", "---", "---"},
        {FRAME_REQUEST, "---", "-sd", "---"},
        {FRAME_CANCEL, "---", "-sd", "---"},
        {FRAME_ABANDON, "---", "-sd", "---"},
        {FRAME_DRAIN, "---", "ssd", "---"},
        {FRAME_SOFT_KILL, "---", "ssd", "---"},
        {FRAME_HARD_KILL, "---", "ssd", "---"},
        {FRAME_EVENT, "---", "ssd", "---"},
        {FRAME_REPLY, "---", "ssd", "---"},
        {FRAME_LOG, "---", "ssd", "---"},
        {FRAME_TRIM, "---", "-sd", "---"},
        {FRAME_READY, "---", "---", "ssd"},
        {FRAME_BUSY, "---", "---", "-sd"},
        {FRAME_RESPONSE, "---", "---", "-sd"},
        {FRAME_IDLE, "---", "---", "-sd"},
        {FRAME_EMIT, "---", "---", "ssd"},
        {FRAME_HEAP, "---", "---", "ssd"},
        {FRAME_SOCKET_CLOSED, "---", "---", "-sd"},
        {FRAME_LOG_TAKEN, "---", "---", "ssd"},
        {FRAME_TYPE_END, "---", "---", "---"},
        {31, "---", "---", "---"},
        {32, "---", "---", "---"},
        {32 + FRAME_READY, "---", "---", "---"},
        {-1, "---", "---", "---"},
},
  controls[] = {
      {0, "---", "---", "---"},
      {CONTROL_WORKER_NEW, "ssd", "---", "---"},
      {CONTROL_WORKER_GONE, "ssd", "---", "---"},
      {CONTROL_POOL_DEGRADED, "ssd", "---", "---"},
      {CONTROL_SUCCESSOR, "ssd", "---", "---"},
      {CONTROL_PREDECESSOR, "ssd", "---", "---"},
      {CONTROL_RETIRE, "ssd", "---", "---"},
      {CONTROL_SOFT_KILL, "ssd", "---", "---"},
      {CONTROL_HARD_KILL, "ssd", "---", "---"},
      {CONTROL_SIGNAL, "ssd", "---", "---"},
      {CONTROL_RELOADED, "ssd", "---", "---"},
      {CONTROL_LOG, "ssd", "---", "---"},
      {CONTROL_REOPENED, "ssd", "---", "---"},
      {CONTROL_LOGS_ELSEWHERE, "ssd", "---", "---"},
      {CONTROL_WORKER_READY, "---", "ssd", "---"},
      {CONTROL_ONLINE, "---", "s--", "---"},
      {CONTROL_WORKER_KILL, "---", "ssd", "---"},
      {CONTROL_WORKER_ABORT, "---", "ssd", "---"},
      {CONTROL_WORKER_SHOW, "---", "-sd", "---"},
      {CONTROL_WORKER_RETIRE, "---", "-sd", "---"},
      {CONTROL_WORKER_REMOVE, "---", "-sd", "---"},
      {CONTROL_RESIZE, "---", "-sd", "---"},
      {CONTROL_SIGNAL_WANTED, "---", "ssd", "---"},
      {CONTROL_ASK_SOFT_KILL, "---", "ssd", "---"},
      {CONTROL_ASK_HARD_KILL, "---", "ssd", "---"},
      {CONTROL_ASK_RELOAD, "---", "-sd", "---"},
      {CONTROL_ASK_REOPEN, "---", "ssd", "---"},
      {CONTROL_LOGS_TAKEN, "---", "ssd", "---"},
      {CONTROL_RELEASED, "---", "--d", "---"},
      {CONTROL_TYPE_END, "---", "---", "---"},
      {31, "---", "---", "---"},
      {32, "---", "---", "---"},
      {32 + CONTROL_WORKER_KILL, "---", "---", "---"},
      {-1, "---", "---", "---"},
};

/* Every type has its row. */
_Static_assert(ROWS(frames) == FRAME_TYPE_END + 5, "a row for each frame");
_Static_assert(ROWS(controls) == CONTROL_TYPE_END + 5, "a row for each control message");

static const char *expected(size_t row, int role, bool frame)
{
    const char *texts[POLICY_ROLES] = {
        frame ? frames[row].master : controls[row].master,
        frame ? frames[row].bus : controls[row].bus,
        frame ? frames[row].worker : controls[row].worker,
    };
    return texts[role];
}

static void each_frame(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(frames); i++) {
        for (int role = 0; role < POLICY_ROLES; role++) {
            for (int phase = 0; phase < POLICY_PHASES; phase++) {
                bool allowed = policy_frame((enum policy_role)role, (enum policy_phase)phase,
                                            (enum frame_type)frames[i].type);
                if (allowed != (expected(i, role, true)[phase] != '-')) {
                    fail_msg("frame %d of role %d in phase %d: %d", frames[i].type, role, phase, allowed);
                }
            }
        }
    }
}

static void each_control(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(controls); i++) {
        for (int role = 0; role < POLICY_ROLES; role++) {
            for (int phase = 0; phase < POLICY_PHASES; phase++) {
                bool allowed = policy_control((enum policy_role)role, (enum policy_phase)phase,
                                              (enum control_type)controls[i].type);
                if (allowed != (expected(i, role, false)[phase] != '-')) {
                    fail_msg("message %d of role %d in phase %d: %d", controls[i].type, role, phase, allowed);
                }
            }
        }
    }
}

static void outside_of_the_table(void **state)
{
    (void)state;
    assert_false(policy_frame(POLICY_ROLES, POLICY_SERVING, FRAME_READY));
    assert_false(policy_frame((enum policy_role) - 1, POLICY_SERVING, FRAME_READY));
    assert_false(policy_frame(POLICY_WORKER, POLICY_PHASES, FRAME_READY));
    assert_false(policy_control(POLICY_BUS, (enum policy_phase) - 1, CONTROL_WORKER_READY));
    assert_false(policy_control(POLICY_ROLES, POLICY_SERVING, CONTROL_WORKER_READY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_frame),
        cmocka_unit_test(each_control),
        cmocka_unit_test(outside_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
