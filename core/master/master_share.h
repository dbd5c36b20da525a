/*
 * The listeners that two masters have while one takes over from the other.
 *
 * They are a setup of their own that no generation runs: what it has open, the others leave to it when they end, and a
 * new configuration takes copies from it as from any other. As a text it is a configuration, too: `listen ADDRESS FD [NAME];`, with the
 * name under which a service manager has it.
 */
#ifndef MASTER_SHARE_H
#define MASTER_SHARE_H

#include "master/master_context.h"

/* The text of all that the current setup listens on; the caller frees it. NULL: no memory. */
char *master_share_text(const struct master *master);

/* The tree of such a text, with the descriptors in it. Those of other directives than `listen` are for the caller to look
 * at. 0 or negative with the text: something that stands there cannot be. */
int master_share_parse(struct conf_tree **tree, const char *text, struct error *err);

/* From now on that is shared; takes the tree, with its descriptors, also on failure. 0 or LPM_ENOMEM. */
int master_share_begin(struct master *master, struct conf_tree *tree, struct error *err);

/* Leaves to the other master what the current setup does not want. */
void master_share_trim(struct master *master);

/* There is no other master any more: what nobody of us has is closed for good. Nothing if nothing is shared. */
void master_share_end(struct master *master);

#endif
