/*
 * Listeners that outlive a master: those that a service manager has handed over, and those that it keeps for us.
 */
#ifndef MASTER_INHERIT_H
#define MASTER_INHERIT_H

#include "master/master_context.h"

/* Takes what the environment names, before anything is forked. A fault is in the log, and nothing is taken then. */
void master_inherit_init(struct master *master);
void master_inherit_fini(struct master *master);

/* Gives the setup's listeners, before they are opened, what was handed over for them. */
void master_inherit_listen(struct master_setup *setup);

/* Closes what was handed over and is nobody's; the log names it. */
void master_inherit_refuse(struct master *master);

/* Before the setup's listeners are closed: of those that are the service manager's only our copy is. So it is with what it
 * kept for us, when this start has failed: the next one may have it. */
void master_inherit_leave(struct master_setup *setup);

/* The name under which the service manager has that listener, or NULL; and in a new master, to which the old one has told it. */
const char *master_inherit_name(const struct master *master, int fd);
void master_inherit_know(struct master *master, int fd, const char *name);

/* Has the service manager keep every listener that there is now, and no other, once lpm is online. What it has no room for
 * now it is told later. */
void master_inherit_store(struct master *master);

#endif
