/*
 * Who may say what, and when. Runs in master, bus and worker; pure. What the table does not name is refused.
 */
#include "ipc/policy.h"

#define FRAME(type)   (1u << FRAME_##type)
#define CONTROL(type) (1u << CONTROL_##type)

_Static_assert(FRAME_TYPE_END <= 32 && CONTROL_TYPE_END <= 32, "a set of types is 32 bits");

#define KILLS       (FRAME(DRAIN) | FRAME(SOFT_KILL) | FRAME(HARD_KILL))
#define NEWS        (FRAME(EVENT) | FRAME(REPLY) | FRAME(LOG))
#define TO_WORKER   (FRAME(REQUEST) | FRAME(CANCEL) | FRAME(ABANDON) | FRAME(TRIM) | NEWS | KILLS)
#define ANY_TIME    (FRAME(READY) | FRAME(EMIT) | FRAME(HEAP) | FRAME(LOG_TAKEN))
#define FROM_WORKER (ANY_TIME | FRAME(BUSY) | FRAME(RESPONSE) | FRAME(IDLE) | FRAME(SOCKET_CLOSED))

static const unsigned frames[POLICY_ROLES][POLICY_PHASES] = {
    [POLICY_BUS] =
        {[POLICY_STARTING] = NEWS | KILLS, [POLICY_SERVING] = TO_WORKER, [POLICY_DRAINING] = TO_WORKER},
    [POLICY_WORKER] =
        {[POLICY_STARTING] = ANY_TIME, [POLICY_SERVING] = FROM_WORKER, [POLICY_DRAINING] = FROM_WORKER},
};

/* Workers die and are replaced in every phase, and a kill may be repeated, or come before all is up. */
#define FROM_MASTER                                                                                          \
    (CONTROL(WORKER_NEW) | CONTROL(WORKER_GONE) | CONTROL(POOL_DEGRADED) | CONTROL(RETIRE) |                 \
     CONTROL(SOFT_KILL) | CONTROL(HARD_KILL) | CONTROL(SIGNAL) | CONTROL(SUCCESSOR) | CONTROL(PREDECESSOR) | \
     CONTROL(LOG) | CONTROL(REOPENED) | CONTROL(LOGS_ELSEWHERE) | CONTROL(RELOADED))
#define FROM_BUS                                                                                     \
    (CONTROL(WORKER_READY) | CONTROL(WORKER_KILL) | CONTROL(WORKER_ABORT) | CONTROL(SIGNAL_WANTED) | \
     CONTROL(ASK_SOFT_KILL) | CONTROL(ASK_HARD_KILL) | CONTROL(ASK_REOPEN) | CONTROL(LOGS_TAKEN))
#define OUT   (CONTROL(WORKER_RETIRE) | CONTROL(WORKER_REMOVE))
#define ASKED (CONTROL(RESIZE) | CONTROL(ASK_RELOAD) | CONTROL(WORKER_SHOW))

/* RESIZE and ASK_RELOAD while draining: they were on their way when the soft kill came. */
static const unsigned controls[POLICY_ROLES][POLICY_PHASES] = {
    [POLICY_MASTER] =
        {[POLICY_STARTING] = FROM_MASTER, [POLICY_SERVING] = FROM_MASTER, [POLICY_DRAINING] = FROM_MASTER},
    [POLICY_BUS] = {[POLICY_STARTING] = FROM_BUS | CONTROL(ONLINE),
                    [POLICY_SERVING] = FROM_BUS | OUT | ASKED,
                    [POLICY_DRAINING] = FROM_BUS | OUT | ASKED | CONTROL(RELEASED)},
};

/* The numbers may come from a peer, whatever their types say. */
static bool allowed(const unsigned table[POLICY_ROLES][POLICY_PHASES], unsigned role, unsigned phase,
                    unsigned type)
{
    return role < POLICY_ROLES && phase < POLICY_PHASES && type < 32 &&
           (table[role][phase] >> type & 1u) != 0;
}

bool policy_frame(enum policy_role sender, enum policy_phase phase, enum frame_type type)
{
    return allowed(frames, (unsigned)sender, (unsigned)phase, (unsigned)type);
}

bool policy_control(enum policy_role sender, enum policy_phase phase, enum control_type type)
{
    return allowed(controls, (unsigned)sender, (unsigned)phase, (unsigned)type);
}
