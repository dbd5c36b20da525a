/*
 * The process that people have started in the foreground, after an upgrade has put another master in its place: they wait
 * for it, a shell has it as the foreground job, a container ends with it.
 */
#ifndef MASTER_STANDIN_H
#define MASTER_STANDIN_H

#include <sys/types.h>

/* Passes signals on to the master `pid`, and to the one that takes over when it is upgraded in turn (its pid is in the file
 * `pid_path` then, and it becomes a child of ours). Returns the exit status of the last one, 1 if that was killed. All signals
 * are blocked. */
int master_standin(pid_t pid, const char *pid_path);

#endif
