/*
 * Binary upgrades of the real lpm.
 */
#ifndef UPGRADE_H
#define UPGRADE_H

#include "server.h"

#define UPGRADE_MS 20000

/* A copy of lpm below the prefix, bin/lpm, which the server is started from: so that another file can be put there. */
void upgrade_program(struct server *s);

/* Puts a copy of `from` (NULL: of lpm) in its place, as an installation does: another file of that name. */
void upgrade_install(const struct server *s, const char *from);

/* The pid in the file `name` below the prefix; fails the test when there is none. */
pid_t upgrade_pid(const struct server *s, const char *name);

/* USR2 to the master, whichever it is now, and waits until the new one is online. Returns that. */
pid_t upgrade_begin(struct server *s);

/* QUIT to the old master, and waits until it has gone. */
void upgrade_finish(struct server *s);

#endif
