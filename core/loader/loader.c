/*
 * Loading of modules, and the configuration as seen by all of them. Runs in trial, bus and workers. Fails with
 * one line that names the module as the configuration does; a module that crashes while it is loaded takes the
 * process with it, and `on_load` says which it was.
 */
#include "loader/loader.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/loader_abi.h"
#include "loader/loader_file.h"

/* Has the module been built for another major version of the ABI? Returns the name of its symbol, or NULL. */
static const char *other_major(void *object)
{
    static const char *const symbols[] = {"lpm_module_v0", "lpm_module_v2", "lpm_module_v3", "lpm_module_v4"};

    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        if (dlsym(object, symbols[i])) {
            return symbols[i];
        }
    }
    return NULL;
}

/* dlerror()'s text without the path of the copy, of which people know nothing. */
static const char *open_error(const char *copy)
{
    const char *text = dlerror();
    size_t len = strlen(copy);

    if (!text) {
        return "unknown error";
    }
    return strncmp(text, copy, len) == 0 && strncmp(text + len, ": ", 2) == 0 ? text + len + 2 : text;
}

/* The descriptor that the copy of `module` exports, or NULL with the reason, without the path, in `err`. */
static const lpm_module *open_copy(const char *copy, struct error *err)
{
    const lpm_module *found;
    const char *other;
    void *object = dlopen(copy, RTLD_NOW | RTLD_LOCAL);

    if (!object) {
        error_set(err, LPM_EABI, "cannot be loaded: %s", open_error(copy));
        return NULL;
    }
    found = dlsym(object, "lpm_module_v1");
    if (found) {
        return found;
    }
    other = other_major(object);
    if (other) {
        error_set(
            err, LPM_EABI,
            "no symbol \"lpm_module_v1\", but \"%s\": made for another major version of the ABI (this lpm "
            "supports 1.0 to 1.%d)",
            other, LPM_ABI_MINOR);
    } else {
        error_set(
            err, LPM_EABI,
            "no symbol \"lpm_module_v1\": not an lpm module, or one for another major version of the ABI "
            "(this lpm supports 1.0 to 1.%d)",
            LPM_ABI_MINOR);
    }
    return NULL;
}

/* Loads and checks the module of place `i`; the text in `err` is without its path. */
static int load_one(struct loader *loader, const struct conf_module *from, size_t i, const char *dir,
                    struct error *err)
{
    char copy[LOADER_PATH_SIZE];
    const lpm_module *found;
    const struct loader_module *same;
    lpm_module module;
    int rc;

    if (loader_file_name(copy, dir, i, from->path) != 0) {
        return error_set(err, LPM_EABI, "the path of its copy in \"%s\" is too long", dir);
    }
    found = open_copy(copy, err);
    if (!found) {
        return LPM_EABI;
    }
    rc = loader_abi_check(found, &module, err);
    if (rc) {
        return rc;
    }
    same = loader_find(loader, module.name);
    if (same) {
        return error_set(err, LPM_EABI, "its name \"%s\" is that of module \"%s\" too", module.name,
                         same->path);
    }
    loader->modules[i] = (struct loader_module){.module = module, .path = from->path};
    loader_build_id(copy, loader->modules[i].build);
    loader->count = i + 1;
    return 0;
}

int loader_load(struct loader *loader, const struct conf_core *core, const char *dir,
                void (*on_load)(void *arg, size_t i), void *arg, struct error *err)
{
    struct error why;
    int rc = 0;

    loader->count = 0;
    loader->modules = calloc(core->module_count + 1, sizeof(*loader->modules));
    if (!loader->modules) {
        return error_set(err, LPM_ENOMEM, "no memory for %zu modules", core->module_count);
    }
    for (size_t i = 0; i < core->module_count && !rc; i++) {
        if (on_load) {
            on_load(arg, i);
        }
        rc = load_one(loader, &core->modules[i], i, dir, &why);
        if (rc) {
            loader_file_error(&core->modules[i], err, rc, "module \"%s\": %s", core->modules[i].path,
                              why.text);
        }
    }
    if (rc) {
        loader_fini(loader);
    }
    return rc;
}

void loader_fini(struct loader *loader)
{
    free(loader->modules);
    loader->modules = NULL;
    loader->count = 0;
}

const struct loader_module *loader_find(const struct loader *loader, const char *name)
{
    for (size_t i = 0; i < loader->count; i++) {
        if (strcmp(loader->modules[i].module.name, name) == 0) {
            return &loader->modules[i];
        }
    }
    return NULL;
}

static const lpm_directive *find_row(const lpm_directive *rows, const lpm_directive *wanted)
{
    for (; rows->name; rows++) {
        if (strcmp(rows->name, wanted->name) == 0 && strcmp(rows->context, wanted->context) == 0) {
            return rows;
        }
    }
    return NULL;
}

/* A directive that two have declared would be checked by the one and read by the other. */
static int check_owners(const struct conf_table *tables, size_t count, struct error *err)
{
    for (size_t i = 1; i < count; i++) {
        for (const lpm_directive *row = tables[i].rows; row->name; row++) {
            size_t first = 0;
            while (!find_row(tables[first].rows, row)) {
                first++;
            }
            if (first < i) {
                return error_set(
                    err, LPM_ECONF,
                    "module \"%s\" declares the directive \"%s\" in \"%s\", which is %s%s%s already",
                    tables[i].owner, row->name, row->context, first ? "that of module \"" : "one of the ",
                    tables[first].owner, first ? "\"" : "");
            }
        }
    }
    return 0;
}

/* The core's table and those of the modules, over the whole tree. */
static int check_tree(const struct loader *loader, struct conf_tree *tree, struct error *err)
{
    struct conf_table *tables = calloc(loader->count + 1, sizeof(*tables));
    const char **handlers = calloc(loader->count + 1, sizeof(*handlers));
    struct conf_schema schema = {.tables = tables, .handlers = handlers};
    int rc;

    if (!tables || !handlers) {
        rc = error_set(err, LPM_ENOMEM, "no memory for the tables of %zu modules", loader->count);
        goto out;
    }
    tables[schema.table_count++] = (struct conf_table){.owner = "core", .rows = conf_core_directives};
    for (size_t i = 0; i < loader->count; i++) {
        const lpm_module *module = &loader->modules[i].module;
        if (module->directives) {
            tables[schema.table_count++] =
                (struct conf_table){.owner = module->name, .rows = module->directives};
        }
        if (module->request) {
            handlers[schema.handler_count++] = module->name;
        }
    }
    rc = check_owners(tables, schema.table_count, err);
    if (!rc) {
        rc = conf_schema_check(tree, &schema, err);
    }
out:
    free(tables);
    free(handlers);
    return rc;
}

/* Runs the conf hook of one module. The tree is bound to a host and an owner that live for this call, so that what
 * the hook says is known to be this module's. */
static int run_conf_hook(const lpm_module *module, struct conf_tree *tree, const struct log *log,
                         struct error *err)
{
    struct error said = {.text = ""};
    struct loader_owner owner = {.log = log, .conf_error = &said, .module = module->name};
    lpm_host host;
    int rc;

    loader_host_init(&host);
    conf_tree_bind(tree, &host, &owner);
    rc = module->conf(tree->root);
    if (said.text[0]) {
        *err = said;
        return LPM_ECONF;
    }
    if (rc) {
        return error_set(err, LPM_ECONF, "module \"%s\" refused the configuration: its conf hook returned %d",
                         module->name, rc);
    }
    return 0;
}

int loader_configure(const struct loader *loader, struct conf_tree *tree, const lpm_host *host,
                     const void *owner, void (*on_hook)(void *arg, size_t i), void *arg, struct error *err)
{
    const struct log *log = ((const struct loader_owner *)owner)->log;
    int rc = check_tree(loader, tree, err);

    for (size_t i = 0; i < loader->count && !rc; i++) {
        if (loader->modules[i].module.conf) {
            if (on_hook) {
                on_hook(arg, i);
            }
            rc = run_conf_hook(&loader->modules[i].module, tree, log, err);
        }
    }
    conf_tree_bind(tree, host, owner);
    return rc;
}
