/*
 * Running in the background.
 */
#ifndef MASTER_DAEMON_H
#define MASTER_DAEMON_H

#include "master/master_context.h"

/* Goes on in a child, in a session of its own; the process that people started waits for master_daemon_online(), or
 * for the child's end, and exits with 0 or 1. 0 in the child, LPM_EIO. */
int master_daemon_start(struct master *master, struct error *err);

/* Lets it go, and leaves the terminal. Nothing in the foreground. */
void master_daemon_online(struct master *master);

#endif
