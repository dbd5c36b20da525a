/*
 * Module files: a private copy for each generation, and dlopen() of the copies. The master only copies; the
 * trial, the bus and the workers load. Nothing is ever dlclosed.
 */
#ifndef LOADER_H
#define LOADER_H

#include <lpm/module.h>

#include "base/error.h"
#include "base/log.h"
#include "conf/conf_core.h"
#include "loader/loader_build_id.h"

struct loader_module {
    lpm_module module; /* extended to this lpm's size */
    const char *path;  /* as in the configuration */
    char build[LOADER_BUILD_ID_SIZE];
};

/* The modules in the order of load_module; a module's place is the same in every process of a generation. */
struct loader {
    struct loader_module *modules;
    size_t count;
};

/* Copies each module of `core` to `dir` (which exists) as NNN-BASENAME, mode 0644. Paths are relative to the
 * working directory. `from`: an earlier generation's directory to take the copies from; NULL: the files themselves.
 * Errors name the path, file:line and the reason. 0, LPM_ECONF (not there, no regular file) or LPM_EIO. */
int loader_copy(const struct conf_core *core, const char *from, const char *dir, struct error *err);

/* Removes what loader_copy() made, and `dir` itself. */
void loader_remove(const struct conf_core *core, const char *dir);

/*
 * Loads every copy in `dir`, RTLD_NOW | RTLD_LOCAL, and checks it (loader_abi). Calls `on_load(arg, i)` right before
 * module `i` is loaded, if not NULL, so that a death in a constructor can be blamed. Errors: 'module "PATH": ...
 * in FILE:LINE'; two modules of one name. 0, LPM_EABI or LPM_ENOMEM. loader_fini() frees the array only.
 */
int loader_load(struct loader *loader, const struct conf_core *core, const char *dir,
                void (*on_load)(void *arg, size_t i), void *arg, struct error *err);
void loader_fini(struct loader *loader);

/* The module of that name, or NULL. */
const struct loader_module *loader_find(const struct loader *loader, const char *name);

/*
 * Checks the whole configuration against the core's table and those of the modules, binds the tree to `host`
 * (see conf_tree_bind) and runs the modules' conf hooks, each after `on_hook(arg, i)`, if that is not NULL. `owner` begins with a struct loader_owner. What a hook
 * reported with lpm_conf_error(), or its mere refusal, is in `err`. 0, LPM_ECONF or LPM_ENOMEM.
 */
int loader_configure(const struct loader *loader, struct conf_tree *tree, const lpm_host *host,
                     const void *owner, void (*on_hook)(void *arg, size_t i), void *arg, struct error *err);

/* What the owner of every handle of a process begins with. */
struct loader_owner {
    const struct log *log;
    struct error *conf_error; /* where lpm_conf_error() leaves "TEXT in FILE:LINE"; NULL: in the log */
    const char *module;       /* whose handle it is: lpm_log() writes "NAME: text"; NULL: no name */
};

/* For a call of the host table that gave `code`, which it returns: where that tells of a module's mistake, and not of how things
 * are, the log names the module and the call. */
int loader_misused(const void *handle, const char *call, int code);

/* The part of the host table that needs no role: size, minor, log, conf_*; all else is NULL. A role copies it
 * and fills in its own. Every handle's owner has to begin with a struct loader_owner. */
void loader_host_init(lpm_host *host);

#endif
