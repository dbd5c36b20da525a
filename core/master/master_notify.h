/*
 * Telling the service manager (systemd, or whoever speaks its protocol) how lpm is.
 */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

#include "master/master_context.h"

/* Takes what the environment says, before anything is forked; begins to ask for the watchdog's patience, once there is a
 * loop. A fault is in the log, and nobody is told anything then. */
void master_notify_take(struct master *master);
int master_notify_init(struct master *master);
void master_notify_fini(struct master *master);

/* A generation serves: at the start, after a reload, and when a reload has failed and another goes on. */
void master_notify_ready(struct master *master, const char *status, ...)
    __attribute__((format(printf, 2, 3)));

/* A reload begins; master_notify_ready() ends it, whatever came of it. */
void master_notify_reloading(struct master *master);

/* Once more what was said last, by a new master that has kept silent while the old one was there. */
void master_notify_repeat(struct master *master);

/* The new master is lpm from now on: the last word of an old one. */
void master_notify_hand_on(struct master *master, pid_t heir);

/* The end begins. */
void master_notify_stopping(struct master *master, const char *status);

#endif
