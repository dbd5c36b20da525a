/*
 * What the master hands to a child at fork(), and how a child becomes its role. Trial, bus and worker.
 */
#ifndef ROLE_H
#define ROLE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "conf/conf_core.h"
#include "os/os_user.h"
#include "role/role_crash.h"
#include "role/role_step.h"

/* Exit statuses of children, next to 0. */
enum {
    ROLE_EXIT_FAILED = 1, /* could not do its work; its last words are in the log */
    ROLE_EXIT_INIT = 3    /* a module's init hook refused; its name is in the log */
};

struct role_quarantine;

struct role_start {
    struct conf_core *core; /* with its tree; the child's own copy, by fork() */
    const char *modules;    /* directory with the copies of the modules, relative to the working directory */
    unsigned generation;    /* from 1 */
    struct os_user user;    /* whom to become */
    struct log log;         /* `who` is set by role_enter() */
    pid_t master;           /* its pid, to notice a master that died before the child could watch it */
    int channel;            /* bus: to the master; worker: to the bus; trial: pipe to the master; else -1 */
    size_t pool, index;     /* worker: which */
    uint32_t incarnation;   /* worker: how many were before it in its place */
    role_step_word *step;   /* bus and worker: for the master to read; or NULL */
    struct role_crash_page *crash;    /* bus and worker: the same */
    const struct role_crash_job *job; /* crash: what it is to tell of */
    struct role_quarantine *quarantine; /* bus; or NULL */
    const char *trouble; /* why what the last reload brought does not serve; "" if it does; bus only */
};

/* The entry of a role: runs in the child, returns its exit status. */
typedef int (*role_main)(struct role_start *start);

/*
 * First thing in a child: process group of its own (so that Ctrl-C reaches the master alone), default signals, an
 * empty mask, SIGPIPE and SIGXFSZ ignored; only 0, 1, 2, the log, `start->channel` and the `keep` descriptors stay open;
 * title `who`; SIGKILL when the master dies; privileges dropped. 0, or negative with a line in the log.
 */
int role_enter(struct role_start *start, const char *who, const int *keep, size_t keep_count);

/* Is it an open log that workers write to? So it is when connections of its block are theirs: a `listen` beside it has the word
 * `handoff`. */
bool role_is_workers_log(const struct lpm_conf *node);

/* The descriptors that the master opened for modules, for `keep`: all, or those for a worker. To be freed; has room for one more.
 * NULL: no memory. */
int *role_opened(const struct conf_tree *tree, bool worker, size_t *count);

/* The error log goes on in `fd`, which it takes; where standard error is that of a daemon, it goes along. */
void role_take_log(struct role_start *start, int fd);

#endif
