/*
 * Forking the master's children, without exec: they have its configuration. Runs in the master; a fork that fails is
 * the caller's to try again.
 */
#include "master/master_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void master_spawn_prepare(struct master_setup *setup, struct role_start *start)
{
    *start = (struct role_start){.core = &setup->core,
                                 .modules = setup->dir,
                                 .user = setup->user,
                                 .log = setup->log,
                                 .master = setup->master->pid,
                                 .trouble = setup->master->trouble.text,
                                 .channel = -1};
}

/* A daemon's children must not hold the terminal, or the pipe, of those who started it. What the C library or a
 * sanitizer says on stderr belongs into the error log then. */
static void leave_terminal(const struct role_start *start)
{
    int null;

    if (!start->core->daemon || start->log.fd <= STDERR_FILENO) {
        return;
    }
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
    }
    dup2(start->log.fd, STDERR_FILENO);
}

pid_t master_spawn(role_main entry, struct role_start *start, struct error *err)
{
    pid_t pid;

    fflush(NULL); /* or a child that calls exit() would say it again */
    pid = fork();
    if (pid < 0) {
        return error_set(err, LPM_EIO, "cannot fork: %s", strerror(errno));
    }
    if (pid == 0) {
        leave_terminal(start);
        exit(entry(start)); /* destructors and exit handlers of modules run, and their stdio is flushed */
    }
    return pid;
}
