/*
 * What the master opens for others, by name, wherever in the tree it stands: each `listen` and each `access_log`.
 */
#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

#include "base/log.h"
#include "conf/conf_core.h"

/* Checks the words of every `listen` without touching anything: the address's form, `backlog=N`, no address twice.
 * 0 or LPM_ECONF. */
int master_listen_check(const struct conf_tree *tree, struct error *err);

/* Resolves the hosts' names in every `listen`, once for the life of the tree: this alone may wait for a resolver. 0, LPM_ECONF,
 * LPM_EIO or LPM_ENOMEM. */
int master_listen_resolve(struct conf_tree *tree, struct error *err);

/* Where a `listen` listens: what was resolved, or else what stands there. */
const char *master_listen_address(const struct lpm_conf *node);

/* Opens all that is not open yet, puts the descriptors into the nodes, and logs each address. What was opened before
 * a failure stays in the tree, for master_listen_close(). 0, LPM_ECONF or LPM_EIO. */
int master_listen_open(struct conf_tree *tree, const struct log *log, struct error *err);

/* The same for what has been open before and was closed: what cannot be had is named in the log, and the rest comes back.
 * A listener is deaf then, a log is off. `dir` is one to write in. */
void master_listen_reopen(struct conf_tree *tree, const char *dir, const struct log *log);

/* Takes a copy of each listener that `from` has open and `tree` wants too, instead of binding it a second time: one
 * queue of connections, whoever accepts from it. A port 0 of one is that of the other, in their order. 0 or LPM_EIO. */
int master_listen_inherit(struct conf_tree *tree, const struct conf_tree *from, struct error *err);

/* Closes what `other` has open as well, and leaves it to that. */
void master_listen_leave(struct conf_tree *tree, const struct conf_tree *other);

/* Closes what `other` has not; it stays open for others than us. */
void master_listen_keep(struct conf_tree *tree, const struct conf_tree *other);

/* Closes all for us, and leaves it to others. */
void master_listen_part(struct conf_tree *tree);

/* After that, and at the end of our processes: removes the files of those sockets that nobody has any more. */
void master_listen_sweep(const struct conf_tree *tree);

/* Inherits and leaves, for the control socket. */
int master_listen_control_inherit(struct conf_core *core, const struct conf_core *from, struct error *err);
void master_listen_control_leave(struct conf_core *core, const struct conf_core *other);

/* Binds the control socket, for the user who started lpm only. 0 or LPM_EIO. */
int master_listen_control(struct conf_core *core, struct error *err);
void master_listen_control_close(struct conf_core *core);

/* Closes all, and removes the files of sockets. */
void master_listen_close(struct conf_tree *tree);

/* Opens the error log: a path, or "stderr". 0 or LPM_EIO. */
int master_listen_error_log(int *fd, const char *path, struct error *err);

#endif
