/*
 * The trial: loads every module and checks the whole configuration in a process that nobody needs.
 */
#ifndef TRIAL_H
#define TRIAL_H

#include "role/role.h"

/* A role_main. `start->channel` is the pipe that takes its reports (ipc/report.h). */
int trial_main(struct role_start *start);

#endif
