/*
 * The role that tells of a crash: a child of the master that lives for this alone. It reads what a broken process has left, and
 * files that modules were loaded from, so it may crash or hang itself; that harms nobody, and the master has another one tell it
 * without names.
 */
#ifndef CRASH_H
#define CRASH_H

#include "role/role.h"

/* Entry of the role: writes start->job to the log, returns the exit status. */
int crash_main(struct role_start *start);

#endif
