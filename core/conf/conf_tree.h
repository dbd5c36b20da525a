/*
 * The configuration as a tree that knows nothing of meanings: made by conf_parse, given types and values by
 * conf_schema, read by the core and (as lpm_conf) by modules. It is never changed after the master has made it.
 */
#ifndef CONF_TREE_H
#define CONF_TREE_H

#include <lpm/module.h>
#include <stdbool.h>

#include "base/error.h"

/* A directive; the root is a block without a name. Strings live as long as the tree. */
struct lpm_conf {
    lpm_handle handle; /* conf_tree_bind() */
    const char *name;
    lpm_slice *args; /* NUL-terminated each */
    size_t arg_count;
    bool is_block;
    const char *file; /* as people wrote it: "conf/lpm.conf"; "-g" for the command line */
    int line;
    struct lpm_conf *parent;       /* NULL: the root */
    struct lpm_conf *first, *last; /* the directives of a block */
    struct lpm_conf *next;
    int64_t
        value; /* conf_schema: the checked value; milliseconds, bytes, 0 or 1, place in the list, -1 for none */
    const char *
        address; /* of a `listen`, after master_listen_resolve(): with a number for the host's name; else NULL */
    int fd;      /* what the master opened for a `listen` or `access_log`; -1 */
};

/* A file that was read, in that order, for lpm -T. */
struct conf_file {
    const char *name;
    const char *text; /* NUL-terminated */
    size_t len;
    struct conf_file *next;
};

struct conf_tree {
    struct lpm_conf *root;
    struct conf_file *files;
    struct conf_chunk *memory; /* private to conf_tree.c */
};

/* An empty tree, or NULL without memory. */
struct conf_tree *conf_tree_new(void);
void conf_tree_free(struct conf_tree *tree);

/* Memory that lives as long as the tree, zeroed, aligned for any type; NULL when there is none. */
void *conf_tree_alloc(struct conf_tree *tree, size_t size);

/* The first directive `name` in `block` (NULL: none), and the next of the same name. */
struct lpm_conf *conf_tree_child(const struct lpm_conf *block, const char *name);
struct lpm_conf *conf_tree_same(const struct lpm_conf *node);

/* The directive that comes after `node` when the whole tree is read from top to bottom; NULL after the last.
 * Begin with the root. */
struct lpm_conf *conf_tree_walk(const struct lpm_conf *node);

/* The node number `index` in that order, the root being 0; NULL: there are not so many. */
struct lpm_conf *conf_tree_at(const struct conf_tree *tree, uint32_t index);

/* Puts host and owner into every node, so that modules can read the tree. */
void conf_tree_bind(struct conf_tree *tree, const lpm_host *host, const void *owner);

/* Sets "TEXT in FILE:LINE" and returns LPM_ECONF. A long text or name is cut, so that the place is always there. */
int conf_tree_error(const struct lpm_conf *node, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int conf_tree_error_args(const struct lpm_conf *node, struct error *err, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Adds ", TEXT" behind the place of an error: what may help. */
void conf_tree_hint(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
