/*
 * What a generation runs: one configuration, what the master has opened for it, and the copies of its modules. Shared by
 * the generations that run the same, and kept as long as one of them, or the master, holds it.
 */
#ifndef MASTER_SETUP_H
#define MASTER_SETUP_H

#include <limits.h>

#include "base/list.h"
#include "base/log.h"
#include "conf/conf_core.h"
#include "os/os_user.h"

struct master;

struct master_setup {
    struct list link; /* of master->setups, oldest first */
    struct master *master;
    unsigned holders;
    struct conf_core core; /* its own, with the tree */
    struct os_user user;   /* whom the processes become */
    struct log log;        /* theirs; its descriptor is the setup's */
    char dir[PATH_MAX];    /* of the copies; empty: there are none */
    int dir_lock;          /* tells other instances that the directory is in use */
    bool shared;           /* with another master, who may go on with it; see master_share */
    bool was_open;         /* all that it listens on and writes to was open once */
};

/* Takes the configuration in `core` and its tree, which `core` has no more then, also on failure; finds the user and
 * checks the listeners' words. The caller holds it. 0, or negative with the text. */
int master_setup_take(struct master_setup **setup, struct master *master, struct conf_core *core,
                      struct error *err);

/* Opens the error log and copies the modules, for generation `number` and those after it. 0, or negative with the text. */
int master_setup_prepare(struct master_setup *setup, unsigned number, struct error *err);

/* Opens the listeners, those of the control socket and the access logs, as far as they are not open. What another setup
 * listens on is shared with that. 0, or negative with the text. Where all was open once, and cannot be had again, the log
 * says so, and the rest has to do. */
int master_setup_listen(struct master_setup *setup, struct error *err);

/* Closes the listeners: nobody is to wait for an answer there. */
void master_setup_close_listeners(struct master_setup *setup);

/* Another setup serves: what that does not listen on, the control socket too, refuses from now on. */
void master_setup_leave(struct master_setup *setup);

struct master_setup *master_setup_hold(struct master_setup *setup);

/* Sets `*setup` to NULL (it may be that before). The last one closes and removes all that is not shared. */
void master_setup_release(struct master_setup **setup);

#endif
