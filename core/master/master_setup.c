/*
 * Setups. Runs in the master. One that cannot be opened is released as any other: what it has opened by then goes.
 */
#include "master/master_setup.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/master_context.h"
#include "master/master_inherit.h"
#include "master/master_listen.h"
#include "master/master_rundir.h"

int master_setup_take(struct master_setup **out, struct master *master, struct conf_core *core,
                      struct error *err)
{
    struct master_setup *setup = calloc(1, sizeof(*setup));
    struct conf_tree *tree = core->tree;
    int rc;

    core->tree = NULL;
    if (!setup) {
        conf_tree_free(tree);
        return error_set(err, LPM_ENOMEM, "no memory for a configuration");
    }
    setup->master = master;
    setup->holders = 1;
    setup->core = *core;
    setup->core.tree = tree;
    setup->dir_lock = -1;
    log_init(&setup->log, STDERR_FILENO, core->error_log_level, "master");
    setup->log.tally = master->log.tally;
    list_append(&master->setups, &setup->link);
    rc = os_user_find(&setup->user, setup->core.user, err);
    if (!rc) {
        rc = master_listen_check(tree, err);
    }
    if (!rc) {
        rc = master_listen_resolve(tree, err);
    }
    if (rc) {
        master_setup_release(&setup);
        return rc;
    }
    *out = setup;
    return 0;
}

int master_setup_prepare(struct master_setup *setup, unsigned number, struct error *err)
{
    int rc = master_listen_error_log(&setup->log.fd, setup->core.error_log, err);

    if (rc) {
        setup->log.fd = STDERR_FILENO;
        return rc;
    }
    rc = master_rundir_make(&setup->core, number, setup->dir, sizeof(setup->dir), &setup->dir_lock, err);
    if (rc) {
        setup->dir[0] = '\0';
    }
    return rc;
}

static int open_rest(struct master_setup *setup, struct error *err)
{
    struct error why;
    int rc;

    master_inherit_listen(setup);
    if (setup->was_open) {
        master_listen_reopen(setup->core.tree, setup->dir, &setup->log);
        if (master_listen_control(&setup->core, &why) != 0) {
            log_write(&setup->log, LPM_LOG_CRIT, "lpmctl cannot reach lpm until the next reload: %s",
                      why.text);
        }
        return 0;
    }
    rc = master_listen_open(setup->core.tree, &setup->log, err);
    if (!rc) {
        master_inherit_refuse(setup->master);
        rc = master_listen_control(&setup->core, err);
    }
    setup->was_open = !rc;
    return rc;
}

int master_setup_listen(struct master_setup *setup, struct error *err)
{
    int rc = 0;

    LIST_EACH(link, after, &setup->master->setups)
    {
        struct master_setup *other = LIST_ENTRY(link, struct master_setup, link);
        if (other == setup || rc) {
            continue;
        }
        rc = master_listen_inherit(setup->core.tree, other->core.tree, err);
        if (!rc) {
            rc = master_listen_control_inherit(&setup->core, &other->core, err);
        }
    }
    return rc ? rc : open_rest(setup, err);
}

void master_setup_close_listeners(struct master_setup *setup)
{
    LIST_EACH(link, after, &setup->master->setups)
    {
        const struct master_setup *other = LIST_ENTRY(link, struct master_setup, link);
        if (other != setup) {
            master_listen_leave(setup->core.tree, other->core.tree);
        }
    }
    if (setup->shared) {
        master_listen_part(setup->core.tree);
    } else {
        master_inherit_leave(setup);
        master_listen_close(setup->core.tree);
    }
    master_inherit_store(setup->master);
}

struct master_setup *master_setup_hold(struct master_setup *setup)
{
    setup->holders++;
    return setup;
}

static void close_control(struct master_setup *setup)
{
    LIST_EACH(link, after, &setup->master->setups)
    {
        const struct master_setup *other = LIST_ENTRY(link, struct master_setup, link);
        if (other != setup) {
            master_listen_control_leave(&setup->core, &other->core);
        }
    }
    master_listen_control_close(&setup->core);
}

void master_setup_leave(struct master_setup *setup)
{
    master_setup_close_listeners(setup);
    close_control(setup);
}

void master_setup_release(struct master_setup **holder)
{
    struct master_setup *setup = *holder;

    *holder = NULL;
    if (!setup || --setup->holders > 0) {
        return;
    }
    master_setup_close_listeners(setup);
    close_control(setup);
    if (setup->shared) {
        master_listen_sweep(setup->core.tree);
    }
    list_remove(&setup->link);
    if (setup->dir[0]) {
        master_rundir_remove(&setup->core, setup->dir, &setup->dir_lock);
    }
    if (setup->log.fd > STDERR_FILENO) {
        fd_close(&setup->log.fd);
    }
    conf_tree_free(setup->core.tree);
    free(setup);
}
