/*
 * The stand-in. Runs in what was the first master, which has nothing any more but its children. Cannot fail; when it is
 * killed the master goes on without it.
 */
#include "master/master_standin.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/title.h"
#include "master/master_upgrade.h"
#include "os/os_pidfile.h"

static bool is_child(pid_t pid)
{
    siginfo_t info;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Reaps, whoever it is: as the first process of a container it gets every orphan. False when `*pid` has ended, with its
 * status. */
static bool reap(pid_t pid, int *status)
{
    bool lives = true;
    pid_t ended;
    int how;

    while ((ended = waitpid(-1, &how, WNOHANG)) > 0) {
        if (ended == pid) {
            *status = how;
            lives = false;
        }
    }
    return lives;
}

static bool holds(const char *pid_path, pid_t *pid)
{
    struct error err;
    return os_pidfile_read(pid_path, pid, &err) == 0 && is_child(*pid);
}

/* It may be about to be upgraded itself: then its file has the other name, or gets the first one back as we look. */
static bool find_next(pid_t *pid, const char *pid_path)
{
    char old[PATH_MAX];

    snprintf(old, sizeof(old), "%s" MASTER_UPGRADE_SUFFIX, pid_path);
    return holds(pid_path, pid) || holds(old, pid) || holds(pid_path, pid);
}

int master_standin(pid_t pid, const char *pid_path)
{
    sigset_t all;
    int status = 0;

    sigfillset(&all);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* the next master becomes our child when its parent ends */
    title_set("stand-in");
    while (reap(pid, &status) || find_next(&pid, pid_path)) {
        siginfo_t info;
        int number = sigwaitinfo(&all, &info);
        /* What the terminal sends, the master, in the same process group, has got itself. */
        if (number > 0 && number != SIGCHLD && info.si_code != SI_KERNEL) {
            kill(pid, number);
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
