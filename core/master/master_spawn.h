/*
 * Forking the master's children.
 */
#ifndef MASTER_SPAWN_H
#define MASTER_SPAWN_H

#include "master/master_context.h"

/* What every child that runs `setup` is given; the caller adds what is its own. */
void master_spawn_prepare(struct master_setup *setup, struct role_start *start);

/* Forks; the child runs `entry` and exits with its status. The pid, or LPM_EIO with the text. */
pid_t master_spawn(role_main entry, struct role_start *start, struct error *err);

#endif
