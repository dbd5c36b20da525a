/*
 * The life of a generation as one table: what happens to it, and what is to be done then. Pure.
 */
#ifndef MASTER_STATE_H
#define MASTER_STATE_H

enum master_state {
    MASTER_NEW = 0,   /* has no process yet */
    MASTER_TRIAL,     /* its trial runs */
    MASTER_STARTING,  /* bus and workers run, not all are ready */
    MASTER_PROBATION, /* serves; the one before can still come back */
    MASTER_ACTIVE,    /* serves */
    MASTER_FAILING,   /* serves as it can, while the one before comes back */
    MASTER_DRAINING,  /* retired, or soft kill: answers what it has */
    MASTER_RELEASED,  /* all is answered, its processes go home */
    MASTER_KILLING,   /* its processes are being ended */
    MASTER_GONE,      /* no process is left */
    MASTER_STATES
};

enum master_event {
    MASTER_ON_START = 0,      /* begin, with a trial */
    MASTER_ON_RESTART,        /* begin, with what has been tried already */
    MASTER_ON_TRIAL_OK,       /* the trial has ended well */
    MASTER_ON_TRIAL_FAILED,   /* the trial has ended, or could not begin */
    MASTER_ON_ONLINE,         /* the bus says that all is ready, and accepts */
    MASTER_ON_PROBATION_OVER, /* its time has passed, or there is nothing to go back to */
    MASTER_ON_WORKER_DIED,    /* a worker was reaped, whatever its status */
    MASTER_ON_EXHAUSTED,      /* more workers of a pool died than `restarts` allows */
    MASTER_ON_START_FAILED,   /* a process could not be forked, or was not ready in its time */
    MASTER_ON_BUS_DIED,       /* the bus was reaped, whatever its status */
    MASTER_ON_RETIRE,         /* another serves */
    MASTER_ON_SOFT_KILL,      /* lpm ends: drain and go */
    MASTER_ON_HARD_KILL,      /* lpm ends: go */
    MASTER_ON_RELEASED,       /* the bus says that all is answered */
    MASTER_ON_DRAIN_TIMEOUT,  /* drain_timeout has passed */
    MASTER_ON_KILL_TIMEOUT,   /* the second that the hard kill's hooks have has passed */
    MASTER_ON_EMPTY,          /* no process of it is left */
    MASTER_EVENTS
};

enum master_action {
    MASTER_IGNORE = 0,   /* cannot happen here, or changes nothing */
    MASTER_DO_TRIAL,     /* fork the trial */
    MASTER_DO_START,     /* open listeners and logs, fork bus and workers */
    MASTER_DO_PROMOTE,   /* online: retire who served before, start its probation */
    MASTER_DO_PROVE,     /* keep nothing to go back to */
    MASTER_DO_REPLACE,   /* start the workers that the restart policy allows */
    MASTER_DO_RETIRE,    /* tell the bus that another serves, start its time limit */
    MASTER_DO_DRAIN,     /* tell the bus to drain, start its time limit */
    MASTER_DO_RELEASE,   /* nothing is started any more */
    MASTER_DO_HARD_KILL, /* tell the bus to end all, start its second */
    MASTER_DO_CUT,       /* the same, and say in the log what did not finish */
    MASTER_DO_SIGKILL,   /* SIGKILL for all that runs */
    MASTER_DO_FINISH,    /* hand it back: the plan says what comes next */
    MASTER_ACTIONS
};

struct master_transition {
    enum master_state next;
    enum master_action action;
};

/* What follows from `event` in `state`. */
struct master_transition master_state_next(enum master_state state, enum master_event event);

/* "starting", for the log. */
const char *master_state_name(enum master_state state);

#endif
