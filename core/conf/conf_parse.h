/*
 * Text to tree: nginx's grammar. `name arg... ;` and `name arg... { ... }`, # comments, "..." and '...' with
 * backslash escapes of the quote, the backslash, \t, \r, \n; `include` with globs.
 */
#ifndef CONF_PARSE_H
#define CONF_PARSE_H

#include "conf/conf_tree.h"

/*
 * Reads the file `name` and then the text `extra` (lpm -g; NULL: none) into `*tree` (the caller frees it).
 * Paths are relative to the working directory, which main() makes the prefix; a pattern that matches nothing is no error, a name that
 * does not exist is. Includes nest at most 16 deep, blocks 64; a file holds at most 16 MiB, all together 64 MiB,
 * each directive at most 1024 words.
 * Returns 0, LPM_ECONF, LPM_EIO or LPM_ENOMEM with the text in `err`: "TEXT in FILE:LINE", and ", HINT" if there
 * is one. Without a tree, `*tree` is NULL.
 */
int conf_parse(struct conf_tree **tree, const char *name, const char *extra, struct error *err);

/* The same for a text that is in memory; `name` is what errors call it. */
int conf_parse_text(struct conf_tree **tree, const char *name, const char *text, size_t len,
                    struct error *err);

#endif
