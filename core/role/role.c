/*
 * How a child of the master becomes its role. Runs in the child; what fails is in the log, and the child ends.
 *
 * The order: first the name, so that whatever fails says who it was; then the signals, so that no handler of the
 * master's runs in a child; then the descriptors, before the privileges go, so that no process of the new user
 * can ever reach one of the master's; last the death signal, which a change of user clears.
 */
#include "role/role.h"

#include <errno.h>
#include <lpm/module.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/title.h"

static int reset_signals(struct error *err)
{
    struct sigaction act = {.sa_handler = SIG_DFL};
    sigset_t none;

    sigemptyset(&act.sa_mask);
    for (int number = 1; number < NSIG; number++) {
        /* A pipe without its reader, a file at the limit of its size: errors of a write, and no deaths. */
        act.sa_handler = number == SIGPIPE || number == SIGXFSZ ? SIG_IGN : SIG_DFL;
        sigaction(number, &act, NULL); /* refused for SIGKILL, SIGSTOP and those of the C library */
    }
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) != 0) {
        return error_set(err, LPM_EIO, "cannot set the signal mask: %s", strerror(errno));
    }
    return 0;
}

static int close_others(const struct role_start *start, const int *keep, size_t count, struct error *err)
{
    int *fds = malloc((count + 2) * sizeof(*fds));
    if (!fds) {
        return error_set(err, LPM_ENOMEM, "no memory for the list of %zu descriptors", count + 2);
    }
    for (size_t i = 0; i < count; i++) {
        fds[i] = keep[i];
    }
    fds[count] = start->log.fd;
    fds[count + 1] = start->channel;
    fd_keep_only(fds, count + 2);
    free(fds);
    return 0;
}

static int die_with_master(pid_t master, struct error *err)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return error_set(err, LPM_EIO, "cannot ask for a signal at the master's death: %s", strerror(errno));
    }
    if (getppid() != master) {
        return error_set(err, LPM_EIO, "the master (pid %ld) is gone", (long)master);
    }
    return 0;
}

static int enter(struct role_start *start, const int *keep, size_t keep_count, struct error *err)
{
    int rc = reset_signals(err);
    if (rc < 0) {
        return rc;
    }
    if (setpgid(0, 0) != 0) {
        return error_set(err, LPM_EIO, "cannot make a process group: %s", strerror(errno));
    }
    umask(022);
    rc = close_others(start, keep, keep_count, err);
    if (rc < 0) {
        return rc;
    }
    rc = os_user_become(&start->user, err);
    if (rc < 0) {
        return rc;
    }
    return die_with_master(start->master, err);
}

int role_enter(struct role_start *start, const char *who, const int *keep, size_t keep_count)
{
    struct error err;

    snprintf(start->log.who, sizeof(start->log.who), "%s", who);
    title_set("%s", who);
    int rc = enter(start, keep, keep_count, &err);
    if (rc < 0) {
        log_write(&start->log, LPM_LOG_CRIT, "%s", err.text);
    }
    return rc;
}

bool role_is_workers_log(const struct lpm_conf *node)
{
    const struct lpm_conf *listen;

    if (node->fd < 0 || strcmp(node->name, "access_log") != 0) {
        return false;
    }
    for (listen = conf_tree_child(node->parent, "listen"); listen; listen = conf_tree_same(listen)) {
        for (size_t i = 1; i < listen->arg_count; i++) {
            if (strcmp(listen->args[i].data, "handoff") == 0) {
                return true;
            }
        }
    }
    return false;
}

int *role_opened(const struct conf_tree *tree, bool worker, size_t *count)
{
    size_t room = 1;
    int *fds;

    for (const struct lpm_conf *node = tree->root; node; node = conf_tree_walk(node)) {
        room += node->fd >= 0;
    }
    fds = calloc(room, sizeof(*fds));
    *count = 0;
    for (const struct lpm_conf *node = tree->root; node && fds; node = conf_tree_walk(node)) {
        if (worker ? role_is_workers_log(node) : node->fd >= 0) {
            fds[(*count)++] = node->fd;
        }
    }
    return fds;
}

void role_take_log(struct role_start *start, int fd)
{
    log_switch(&start->log, fd, start->core->daemon && start->log.fd > STDERR_FILENO);
}
