/*
 * The table of a generation's life. Runs in the master; pure. Every cell is written down, the ignored ones too, so
 * that a new state or event makes its author think about each.
 */
#include "master/master_state.h"

/* clang-format off */
#define STAY(state)     {MASTER_##state, MASTER_IGNORE}
#define GO(state, what) {MASTER_##state, MASTER_DO_##what}

static const struct master_transition table[MASTER_STATES][MASTER_EVENTS] = {
    [MASTER_NEW] = {
        [MASTER_ON_START]          = GO(TRIAL, TRIAL),
        [MASTER_ON_RESTART]        = GO(STARTING, START),
        [MASTER_ON_TRIAL_OK]       = STAY(NEW),
        [MASTER_ON_TRIAL_FAILED]   = STAY(NEW),
        [MASTER_ON_ONLINE]         = STAY(NEW),
        [MASTER_ON_PROBATION_OVER] = STAY(NEW),
        [MASTER_ON_WORKER_DIED]    = STAY(NEW),
        [MASTER_ON_EXHAUSTED]      = STAY(NEW),
        [MASTER_ON_START_FAILED]   = STAY(NEW),
        [MASTER_ON_BUS_DIED]       = STAY(NEW),
        [MASTER_ON_RETIRE]         = GO(GONE, FINISH),
        [MASTER_ON_SOFT_KILL]      = GO(GONE, FINISH),
        [MASTER_ON_HARD_KILL]      = GO(GONE, FINISH),
        [MASTER_ON_RELEASED]       = STAY(NEW),
        [MASTER_ON_DRAIN_TIMEOUT]  = STAY(NEW),
        [MASTER_ON_KILL_TIMEOUT]   = STAY(NEW),
        [MASTER_ON_EMPTY]          = STAY(NEW),
    },
    [MASTER_TRIAL] = {
        [MASTER_ON_START]          = STAY(TRIAL),
        [MASTER_ON_RESTART]        = STAY(TRIAL),
        [MASTER_ON_TRIAL_OK]       = GO(STARTING, START),
        [MASTER_ON_TRIAL_FAILED]   = GO(GONE, FINISH),
        [MASTER_ON_ONLINE]         = STAY(TRIAL),
        [MASTER_ON_PROBATION_OVER] = STAY(TRIAL),
        [MASTER_ON_WORKER_DIED]    = STAY(TRIAL),
        [MASTER_ON_EXHAUSTED]      = STAY(TRIAL),
        [MASTER_ON_START_FAILED]   = STAY(TRIAL),
        [MASTER_ON_BUS_DIED]       = STAY(TRIAL),
        [MASTER_ON_RETIRE]         = GO(KILLING, SIGKILL),
        [MASTER_ON_SOFT_KILL]      = GO(KILLING, SIGKILL),
        [MASTER_ON_HARD_KILL]      = GO(KILLING, SIGKILL),
        [MASTER_ON_RELEASED]       = STAY(TRIAL),
        [MASTER_ON_DRAIN_TIMEOUT]  = STAY(TRIAL),
        [MASTER_ON_KILL_TIMEOUT]   = STAY(TRIAL),
        [MASTER_ON_EMPTY]          = STAY(TRIAL),
    },
    [MASTER_STARTING] = {
        [MASTER_ON_START]          = STAY(STARTING),
        [MASTER_ON_RESTART]        = STAY(STARTING),
        [MASTER_ON_TRIAL_OK]       = STAY(STARTING),
        [MASTER_ON_TRIAL_FAILED]   = STAY(STARTING),
        [MASTER_ON_ONLINE]         = GO(PROBATION, PROMOTE),
        [MASTER_ON_PROBATION_OVER] = STAY(STARTING),
        [MASTER_ON_WORKER_DIED]    = GO(KILLING, HARD_KILL),
        [MASTER_ON_EXHAUSTED]      = STAY(STARTING),
        [MASTER_ON_START_FAILED]   = GO(KILLING, HARD_KILL),
        [MASTER_ON_BUS_DIED]       = GO(KILLING, SIGKILL),
        [MASTER_ON_RETIRE]         = GO(KILLING, HARD_KILL), /* there is nothing to drain */
        [MASTER_ON_SOFT_KILL]      = GO(KILLING, HARD_KILL),
        [MASTER_ON_HARD_KILL]      = GO(KILLING, HARD_KILL),
        [MASTER_ON_RELEASED]       = STAY(STARTING),
        [MASTER_ON_DRAIN_TIMEOUT]  = STAY(STARTING),
        [MASTER_ON_KILL_TIMEOUT]   = STAY(STARTING),
        [MASTER_ON_EMPTY]          = STAY(STARTING),
    },
    [MASTER_PROBATION] = {
        [MASTER_ON_START]          = STAY(PROBATION),
        [MASTER_ON_RESTART]        = STAY(PROBATION),
        [MASTER_ON_TRIAL_OK]       = STAY(PROBATION),
        [MASTER_ON_TRIAL_FAILED]   = STAY(PROBATION),
        [MASTER_ON_ONLINE]         = STAY(PROBATION),
        [MASTER_ON_PROBATION_OVER] = GO(ACTIVE, PROVE),
        [MASTER_ON_WORKER_DIED]    = GO(PROBATION, REPLACE),
        [MASTER_ON_EXHAUSTED]      = GO(FAILING, REPLACE), /* it serves as it can, until the one before is back */
        [MASTER_ON_START_FAILED]   = STAY(PROBATION), /* the worker is killed, and its death counts */
        [MASTER_ON_BUS_DIED]       = GO(KILLING, SIGKILL),
        [MASTER_ON_RETIRE]         = GO(DRAINING, RETIRE),
        [MASTER_ON_SOFT_KILL]      = GO(DRAINING, DRAIN),
        [MASTER_ON_HARD_KILL]      = GO(KILLING, HARD_KILL),
        [MASTER_ON_RELEASED]       = STAY(PROBATION),
        [MASTER_ON_DRAIN_TIMEOUT]  = STAY(PROBATION),
        [MASTER_ON_KILL_TIMEOUT]   = STAY(PROBATION),
        [MASTER_ON_EMPTY]          = STAY(PROBATION),
    },
    [MASTER_ACTIVE] = {
        [MASTER_ON_START]          = STAY(ACTIVE),
        [MASTER_ON_RESTART]        = STAY(ACTIVE),
        [MASTER_ON_TRIAL_OK]       = STAY(ACTIVE),
        [MASTER_ON_TRIAL_FAILED]   = STAY(ACTIVE),
        [MASTER_ON_ONLINE]         = STAY(ACTIVE),
        [MASTER_ON_PROBATION_OVER] = STAY(ACTIVE),
        [MASTER_ON_WORKER_DIED]    = GO(ACTIVE, REPLACE),
        [MASTER_ON_EXHAUSTED]      = STAY(ACTIVE), /* degraded, as the pool has said */
        [MASTER_ON_START_FAILED]   = STAY(ACTIVE),
        [MASTER_ON_BUS_DIED]       = GO(KILLING, SIGKILL),
        [MASTER_ON_RETIRE]         = GO(DRAINING, RETIRE),
        [MASTER_ON_SOFT_KILL]      = GO(DRAINING, DRAIN),
        [MASTER_ON_HARD_KILL]      = GO(KILLING, HARD_KILL),
        [MASTER_ON_RELEASED]       = STAY(ACTIVE),
        [MASTER_ON_DRAIN_TIMEOUT]  = STAY(ACTIVE),
        [MASTER_ON_KILL_TIMEOUT]   = STAY(ACTIVE),
        [MASTER_ON_EMPTY]          = STAY(ACTIVE),
    },
    [MASTER_FAILING] = {
        [MASTER_ON_START]          = STAY(FAILING),
        [MASTER_ON_RESTART]        = STAY(FAILING),
        [MASTER_ON_TRIAL_OK]       = STAY(FAILING),
        [MASTER_ON_TRIAL_FAILED]   = STAY(FAILING),
        [MASTER_ON_ONLINE]         = STAY(FAILING),
        [MASTER_ON_PROBATION_OVER] = STAY(FAILING),
        [MASTER_ON_WORKER_DIED]    = GO(FAILING, REPLACE),
        [MASTER_ON_EXHAUSTED]      = STAY(FAILING),
        [MASTER_ON_START_FAILED]   = STAY(FAILING),
        [MASTER_ON_BUS_DIED]       = GO(KILLING, SIGKILL),
        [MASTER_ON_RETIRE]         = GO(DRAINING, RETIRE),
        [MASTER_ON_SOFT_KILL]      = GO(DRAINING, DRAIN),
        [MASTER_ON_HARD_KILL]      = GO(KILLING, HARD_KILL),
        [MASTER_ON_RELEASED]       = STAY(FAILING),
        [MASTER_ON_DRAIN_TIMEOUT]  = STAY(FAILING),
        [MASTER_ON_KILL_TIMEOUT]   = STAY(FAILING),
        [MASTER_ON_EMPTY]          = STAY(FAILING),
    },
    [MASTER_DRAINING] = {
        [MASTER_ON_START]          = STAY(DRAINING),
        [MASTER_ON_RESTART]        = STAY(DRAINING),
        [MASTER_ON_TRIAL_OK]       = STAY(DRAINING),
        [MASTER_ON_TRIAL_FAILED]   = STAY(DRAINING),
        [MASTER_ON_ONLINE]         = STAY(DRAINING),
        [MASTER_ON_PROBATION_OVER] = STAY(DRAINING),
        [MASTER_ON_WORKER_DIED]    = GO(DRAINING, REPLACE), /* requests may wait for it */
        [MASTER_ON_EXHAUSTED]      = STAY(DRAINING),
        [MASTER_ON_START_FAILED]   = STAY(DRAINING),
        [MASTER_ON_BUS_DIED]       = GO(KILLING, SIGKILL),
        [MASTER_ON_RETIRE]         = STAY(DRAINING),
        [MASTER_ON_SOFT_KILL]      = STAY(DRAINING),
        [MASTER_ON_HARD_KILL]      = GO(KILLING, HARD_KILL),
        [MASTER_ON_RELEASED]       = GO(RELEASED, RELEASE),
        [MASTER_ON_DRAIN_TIMEOUT]  = GO(KILLING, CUT),
        [MASTER_ON_KILL_TIMEOUT]   = STAY(DRAINING),
        [MASTER_ON_EMPTY]          = STAY(DRAINING),
    },
    [MASTER_RELEASED] = {
        [MASTER_ON_START]          = STAY(RELEASED),
        [MASTER_ON_RESTART]        = STAY(RELEASED),
        [MASTER_ON_TRIAL_OK]       = STAY(RELEASED),
        [MASTER_ON_TRIAL_FAILED]   = STAY(RELEASED),
        [MASTER_ON_ONLINE]         = STAY(RELEASED),
        [MASTER_ON_PROBATION_OVER] = STAY(RELEASED),
        [MASTER_ON_WORKER_DIED]    = STAY(RELEASED), /* that is what they are to do */
        [MASTER_ON_EXHAUSTED]      = STAY(RELEASED),
        [MASTER_ON_START_FAILED]   = STAY(RELEASED),
        [MASTER_ON_BUS_DIED]       = GO(KILLING, SIGKILL), /* it goes last: whoever is left has missed it */
        [MASTER_ON_RETIRE]         = STAY(RELEASED),
        [MASTER_ON_SOFT_KILL]      = STAY(RELEASED),
        [MASTER_ON_HARD_KILL]      = GO(KILLING, HARD_KILL),
        [MASTER_ON_RELEASED]       = STAY(RELEASED),
        [MASTER_ON_DRAIN_TIMEOUT]  = GO(KILLING, CUT),
        [MASTER_ON_KILL_TIMEOUT]   = STAY(RELEASED),
        [MASTER_ON_EMPTY]          = STAY(RELEASED),
    },
    [MASTER_KILLING] = {
        [MASTER_ON_START]          = STAY(KILLING),
        [MASTER_ON_RESTART]        = STAY(KILLING),
        [MASTER_ON_TRIAL_OK]       = STAY(KILLING),
        [MASTER_ON_TRIAL_FAILED]   = STAY(KILLING),
        [MASTER_ON_ONLINE]         = STAY(KILLING),
        [MASTER_ON_PROBATION_OVER] = STAY(KILLING),
        [MASTER_ON_WORKER_DIED]    = STAY(KILLING),
        [MASTER_ON_EXHAUSTED]      = STAY(KILLING),
        [MASTER_ON_START_FAILED]   = STAY(KILLING),
        [MASTER_ON_BUS_DIED]       = STAY(KILLING), /* the workers' hooks have their second all the same */
        [MASTER_ON_RETIRE]         = STAY(KILLING),
        [MASTER_ON_SOFT_KILL]      = STAY(KILLING),
        [MASTER_ON_HARD_KILL]      = STAY(KILLING),
        [MASTER_ON_RELEASED]       = STAY(KILLING),
        [MASTER_ON_DRAIN_TIMEOUT]  = STAY(KILLING),
        [MASTER_ON_KILL_TIMEOUT]   = GO(KILLING, SIGKILL),
        [MASTER_ON_EMPTY]          = GO(GONE, FINISH),
    },
    [MASTER_GONE] = {
        [MASTER_ON_START]          = STAY(GONE),
        [MASTER_ON_RESTART]        = STAY(GONE),
        [MASTER_ON_TRIAL_OK]       = STAY(GONE),
        [MASTER_ON_TRIAL_FAILED]   = STAY(GONE),
        [MASTER_ON_ONLINE]         = STAY(GONE),
        [MASTER_ON_PROBATION_OVER] = STAY(GONE),
        [MASTER_ON_WORKER_DIED]    = STAY(GONE),
        [MASTER_ON_EXHAUSTED]      = STAY(GONE),
        [MASTER_ON_START_FAILED]   = STAY(GONE),
        [MASTER_ON_BUS_DIED]       = STAY(GONE),
        [MASTER_ON_RETIRE]         = STAY(GONE),
        [MASTER_ON_SOFT_KILL]      = STAY(GONE),
        [MASTER_ON_HARD_KILL]      = STAY(GONE),
        [MASTER_ON_RELEASED]       = STAY(GONE),
        [MASTER_ON_DRAIN_TIMEOUT]  = STAY(GONE),
        [MASTER_ON_KILL_TIMEOUT]   = STAY(GONE),
        [MASTER_ON_EMPTY]          = STAY(GONE),
    },
};
/* clang-format on */

struct master_transition master_state_next(enum master_state state, enum master_event event)
{
    return table[state][event];
}

const char *master_state_name(enum master_state state)
{
    static const char *const names[MASTER_STATES] = {
        "new",     "in its trial", "starting", "on probation", "active",
        "failing", "draining",     "released", "being killed", "gone",
    };
    return names[state];
}
