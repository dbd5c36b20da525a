/*
 * A report, written by a signal handler. Private to role_crash.
 */
#ifndef ROLE_CRASH_DUMP_H
#define ROLE_CRASH_DUMP_H

#include <signal.h>

#include "role/role_crash.h"

struct role_crash_dump {
    pid_t owner; /* whose page it is: what a module forks has it, too */
    struct role_crash_page *page;
    role_step_word *step;
    const struct frame *const *running;
};

/* Part after part, `written` last of each. Safe in a signal handler; may crash itself, in a process that is broken. */
void role_crash_dump_write(const struct role_crash_dump *dump, struct role_crash_report *report,
                           const siginfo_t *info, void *context);

#endif
