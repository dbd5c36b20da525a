/*
 * Checks a tree against tables of directives, the core's own and those of modules, and writes each directive's
 * value into its node. Pure but for the tree.
 *
 * Refused, with the directive, its place and what was expected: an unknown name (with "did you mean"), a name in
 * the wrong block (with the block where it belongs), a second one where one may stand, too few or too many
 * words, a block where there is none or none where there is one, a value of the wrong type, unit or range, a
 * missing directive that has to stand.
 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include "conf/conf_tree.h"

struct conf_table {
    const char *owner;         /* "core", or the module's name */
    const lpm_directive *rows; /* ends with a row whose name is NULL; NULL: no rows */
};

struct conf_schema {
    const struct conf_table *tables;
    size_t table_count;
    const char *const *handlers; /* the modules that answer requests, for LPM_CONF_HANDLER */
    size_t handler_count;
    bool partial; /* only the core's table is known (the master): pass what it does not name, and handlers */
};

/* 0 or LPM_ECONF. Also refuses a directive that two tables have for one block (without a place: no file is wrong). */
int conf_schema_check(struct conf_tree *tree, const struct conf_schema *schema, struct error *err);

/*
 * Checks a module's table itself, before it is used: name, context, type, flags, bounds, words and default fit
 * together (a default is checked by the very code that checks what people write); LPM_CONF_LISTEN only for a
 * directive `listen`, LPM_CONF_LOG only for `access_log`, as the master knows those by name. 0 or LPM_EABI.
 */
int conf_schema_verify(const struct conf_table *table, struct error *err);

/* How the row is written: its `syntax`, or what follows from its type ("on | off", "size"). Into `room`. */
const char *conf_schema_syntax(const lpm_directive *row, char *room, size_t size);

#endif
