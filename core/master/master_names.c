/*
 * The names of an old master's files. Runs in the old master. A name that cannot be changed is an error at the beginning of
 * an upgrade, and a line in the log at its end.
 */
#include "master/master_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "master/master_upgrade.h"

char *master_names_old(const char *name)
{
    char *old = NULL;
    return asprintf(&old, "%s" MASTER_UPGRADE_SUFFIX, name) < 0 ? NULL : old;
}

/* Gives a file the other of its two names; one that is not there has none. */
static int swap_name(const char *name, bool away, struct error *err)
{
    char *old = master_names_old(name);
    int rc = 0;

    if (!old) {
        return error_set(err, LPM_ENOMEM, "no memory for the name of %s", name);
    }
    if (rename(away ? name : old, away ? old : name) != 0 && errno != ENOENT) {
        rc = error_set(err, LPM_EIO, "cannot rename %s: %s", away ? name : old, strerror(errno));
    }
    free(old);
    return rc;
}

static int rename_pidfile(struct master *master, bool away, struct error *err)
{
    char *name = away ? master_names_old(master->pidfile.path) : strdup(master->upgrade.pid_path);
    int rc = name ? os_pidfile_rename(&master->pidfile, name, err)
                  : error_set(err, LPM_ENOMEM, "no memory for the name of the pid file");
    free(name);
    return rc;
}

int master_names_give(struct master *master, struct error *err)
{
    const struct conf_core *core = &master->current->core;
    struct master_upgrade *upgrade = &master->upgrade;
    char *control = core->control_fd >= 0 ? strdup(core->control) : NULL;
    int rc;

    upgrade->pid_path = strdup(master->pidfile.path);
    if (!upgrade->pid_path || (core->control_fd >= 0 && !control)) {
        rc = error_set(err, LPM_ENOMEM, "no memory for names");
    } else {
        rc = rename_pidfile(master, true, err);
    }
    if (!rc && control) {
        rc = swap_name(control, true, err);
    }
    if (rc) {
        free(control);
    } else {
        upgrade->control = control;
    }
    return rc;
}

void master_names_free(struct master *master)
{
    free(master->upgrade.pid_path);
    free(master->upgrade.control);
    master->upgrade.pid_path = master->upgrade.control = NULL;
}

void master_names_take_back(struct master *master)
{
    struct master_upgrade *upgrade = &master->upgrade;
    struct error why = {.text = ""};

    if (upgrade->pid_path && strcmp(upgrade->pid_path, master->pidfile.path) != 0 &&
        rename_pidfile(master, false, &why) != 0) {
        log_write(&master->log, LPM_LOG_ERROR, "%s", why.text);
    }
    if (upgrade->control && swap_name(upgrade->control, false, &why) != 0) {
        log_write(&master->log, LPM_LOG_ERROR, "%s", why.text);
    }
    master_names_free(master);
}
