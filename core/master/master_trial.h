/*
 * The trial as the master sees it: a child whose reports, end and silence are judged.
 */
#ifndef MASTER_TRIAL_H
#define MASTER_TRIAL_H

#include "ipc/report.h"
#include "master/master_context.h"

/* How a trial ended. */
struct master_trial_end {
    struct report last;    /* its last record; type REPORT_NONE: none */
    bool timed_out;        /* and was killed for that */
    int status;            /* as of waitpid() */
    int64_t step_limit_ms; /* for the text */
};

/* What that means: 0, or LPM_ECONF with the text, which names the module at fault. Pure. */
int master_trial_judge(const struct master_trial_end *end, const struct conf_core *core, struct error *err);

/* Called once, after the child was reaped: `code` as of master_trial_judge(). */
typedef void (*master_trial_done)(void *arg, int code, const struct error *err);

/* Forks the trial of `setup`, for that generation. 0 with `*trial`, LPM_EIO, LPM_ENOMEM. */
int master_trial_new(struct master_trial **trial, struct master_setup *setup, unsigned generation,
                     master_trial_done done, void *arg, struct error *err);

/* Its process must have been reaped. */
void master_trial_free(struct master_trial *trial);

pid_t master_trial_pid(const struct master_trial *trial);

/* Its process was reaped: calls `done`. */
void master_trial_reaped(struct master_trial *trial, int status);

#endif
