/*
 * Signals through a signalfd: no handler, so nothing is ever interrupted. Runs in the master.
 */
#include "master/master_signal.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

void master_signal_block(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t set;

    sigfillset(&set);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigdelset(&set, faults[i]);
    }
    sigprocmask(SIG_SETMASK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* ignored by who started us, it would reap for us */
}

/* Whatever a child of ours has forked is in its process group. While the child is not reaped, its number cannot have
 * become somebody else's. */
static void reap(struct master *master)
{
    const struct master_signal_calls *calls = master->signal_calls;

    for (;;) {
        siginfo_t info = {.si_pid = 0};
        int status;

        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
            return;
        }
        if (calls->owns(master, info.si_pid)) {
            kill(-info.si_pid, SIGKILL);
        }
        if (waitpid(info.si_pid, &status, 0) == info.si_pid) {
            calls->on_reaped(master, info.si_pid, status);
        }
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct master *master = arg;
    struct signalfd_siginfo info;

    (void)what;
    while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD) {
            reap(master);
        } else if (info.ssi_signo != SIGWINCH ||
                   info.ssi_code != SI_KERNEL) { /* a terminal's size is nothing to us */
            master->signal_calls->on_signal(master, (int)info.ssi_signo);
        }
    }
}

int master_signal_open(struct master *master, const struct master_signal_calls *calls, struct error *err)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT,   SIGQUIT, SIGHUP,
                                  SIGUSR1, SIGUSR2, SIGWINCH, SIGTTIN, SIGTTOU};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sigaddset(&set, numbers[i]);
    }
    master->signal_calls = calls;
    master->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (master->signals < 0) {
        return error_set(err, LPM_EIO, "cannot make a signalfd: %s", strerror(errno));
    }
    master->signal_readable =
        event_new(master->base, master->signals, EV_READ | EV_PERSIST, on_readable, master);
    if (!master->signal_readable) {
        return error_set(err, LPM_ENOMEM, "no memory for the signals");
    }
    event_add(master->signal_readable, NULL);
    return 0;
}

void master_signal_close(struct master *master)
{
    if (master->signal_readable) {
        event_free(master->signal_readable);
        master->signal_readable = NULL;
    }
    fd_close(&master->signals);
}
