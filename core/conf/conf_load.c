/*
 * Reading a configuration. Runs in the master and in lpmctl, which know no module's directives: those are the trial's
 * to check.
 */
#include "conf/conf_load.h"

#include "conf/conf_parse.h"

int conf_load(struct conf_core *core, const char *path, const char *directives, struct error *err)
{
    static const struct conf_table table = {.owner = "core", .rows = conf_core_directives};
    static const struct conf_schema schema = {.tables = &table, .table_count = 1, .partial = true};
    struct conf_tree *tree = NULL;
    int rc = conf_parse(&tree, path, directives, err);

    if (!rc) {
        rc = conf_schema_check(tree, &schema, err);
    }
    if (!rc) {
        rc = conf_core_read(core, tree, err);
    }
    if (rc) {
        conf_tree_free(tree);
        core->tree = NULL;
    }
    return rc;
}
