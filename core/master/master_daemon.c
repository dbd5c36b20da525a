/*
 * The background. Runs in the master, before anything else of it does. The exit status that people see is that of the
 * start as a whole: until lpm is online they have its stderr.
 */
#include "master/master_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

static void wait_for_online(int pipe)
{
    char byte;
    ssize_t n;

    do {
        n = read(pipe, &byte, 1);
    } while (n < 0 && errno == EINTR);
    _exit(n == 1 ? 0 : 1);
}

int master_daemon_start(struct master *master, struct error *err)
{
    int fds[2];
    pid_t pid;

    if (getpid() == 1) { /* the process that is left would end, and with it all the others */
        return error_set(
            err, LPM_ECONF,
            "the first process of a container cannot go to the background: expected \"daemon off\"");
    }
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return error_set(err, LPM_EIO, "cannot make a pipe: %s", strerror(errno));
    }
    fflush(NULL);
    pid = fork();
    if (pid < 0) {
        close(fds[0]);
        close(fds[1]);
        return error_set(err, LPM_EIO, "cannot fork: %s", strerror(errno));
    }
    if (pid > 0) {
        close(fds[1]);
        wait_for_online(fds[0]);
    }
    close(fds[0]);
    setsid();
    master->launcher = fds[1];
    return 0;
}

static void leave_terminal(const struct master *master)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        close(null);
    }
    dup2(master->log.fd, STDERR_FILENO);
}

void master_daemon_online(struct master *master)
{
    ssize_t n;

    if (master->current->core.daemon && master->log.fd > STDERR_FILENO) {
        leave_terminal(master);
    }
    if (master->launcher < 0) {
        return;
    }
    n = write(master->launcher, "", 1);
    if (n < 0) {
        log_write(&master->log, LPM_LOG_WARN, "the process that started lpm is gone");
    }
    fd_close(&master->launcher);
}
