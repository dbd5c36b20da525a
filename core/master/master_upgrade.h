/*
 * Binary upgrade, as the old master does it: another program of the same name takes over while this one serves on.
 */
#ifndef MASTER_UPGRADE_H
#define MASTER_UPGRADE_H

#include "master/master_context.h"

/* The environment's variable for the new master: a configuration of `master FD PID;` (the channel between the two; its
 * other end closes when the old one's part is over) and `listen ADDRESS FD [NAME];`. */
#define MASTER_UPGRADE_VARIABLE "LPM_UPGRADE"

/* What the new one says on the channel, each a message: that it serves, or, with the reason behind it, why not. */
#define MASTER_UPGRADE_ONLINE "online"
#define MASTER_UPGRADE_FAILED "failed: "

/* What the names of the old one's pid file and control socket end with. */
#define MASTER_UPGRADE_SUFFIX ".oldbin"

void master_upgrade_init(struct master *master);

/* SIGUSR2: gives the names away and starts the program anew. What stands in the way is in the log. */
void master_upgrade_begin(struct master *master);

/* SIGWINCH: whoever serves here retires, once the new master serves. */
void master_upgrade_withdraw(struct master *master);

/* SIGHUP: serves again what was served before that. False when no upgrade runs: then it is a reload. */
bool master_upgrade_resume(struct master *master);

/* `pid` was reaped: true if it was the new master, and this one is the only one again. */
bool master_upgrade_reaped(struct master *master, pid_t pid, int status);

/* Those who have started lpm in the foreground wait for this process: a hard kill is meant for the new master as well. */
void master_upgrade_stop(const struct master *master, enum master_event kill);

/* At the end of this master; the channel stays open for as long as something of it is. Returns the new one if this process has to stand in for it, with the name of the pid file, which the
 * caller frees; else 0. */
pid_t master_upgrade_fini(struct master *master, char **pid_path);

#endif
