/*
 * A configuration, from its file to what the core knows of it.
 */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "conf/conf_core.h"

/* Reads the file, and `directives` (NULL: none) behind it; checks what is the core's. 0 with the tree, which is the
 * caller's, in core->tree; or LPM_ECONF, LPM_EIO, LPM_ENOMEM with the text and core->tree NULL. */
int conf_load(struct conf_core *core, const char *path, const char *directives, struct error *err);

#endif
