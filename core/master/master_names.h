/*
 * What two masters cannot share but by name: the pid file and the control socket. The old one renames its own, so that
 * the new one can make others.
 */
#ifndef MASTER_NAMES_H
#define MASTER_NAMES_H

#include "master/master_context.h"

/* NAME.oldbin, which the caller frees; NULL: no memory. */
char *master_names_old(const char *name);

/* Gives the names away. 0 or negative with the text: take them back, only some may be given then. */
int master_names_give(struct master *master, struct error *err);

/* Takes back what was given, if anything was. */
void master_names_take_back(struct master *master);

/* Forgets what was given: it stays the new master's. */
void master_names_free(struct master *master);

#endif
