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
#include <unistd.h>

#include "base/clock.h"
#include "base/title.h"
#include "master/master_upgrade.h"
#include "os/os_pidfile.h"

/* One that is still starting has no pid file yet: for that long, and looked for as often. */
#define PATIENCE_NS (60 * CLOCK_NS_PER_S)
#define LOOK_NS     (50 * CLOCK_NS_PER_MS)

struct standin {
    pid_t pid; /* the master, our child; 0: it has ended, and nobody has taken over yet */
    pid_t
        next; /* who takes over from it, if it is being upgraded; our child once that is done. 0: not known */
    const char *pid_path;
    int status;     /* of the last one that has ended */
    uint64_t ended; /* when */
};

static bool is_child(pid_t pid)
{
    siginfo_t info;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static bool take(struct standin *s, pid_t pid)
{
    if (pid == 0 || !is_child(pid)) {
        return false;
    }
    s->pid = pid;
    s->next = 0;
    return true;
}

static bool take_holder(struct standin *s, const char *pid_path)
{
    struct error err;
    pid_t pid;
    return os_pidfile_read(pid_path, &pid, &err) == 0 && take(s, pid);
}

/* It may be about to be upgraded itself: then its file has the other name, or gets the first one back as we look. */
static bool find_next(struct standin *s)
{
    char old[PATH_MAX];

    snprintf(old, sizeof(old), "%s" MASTER_UPGRADE_SUFFIX, s->pid_path);
    return take(s, s->next) || take_holder(s, s->pid_path) || take_holder(s, old) ||
           take_holder(s, s->pid_path);
}

/* A master is in our process group, as nobody else of lpm is. */
static bool has_relatives(void)
{
    siginfo_t info;
    return waitid(P_PGID, (id_t)getpgrp(), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Reaps, whoever it is: the first process of a container gets every orphan. False when there is no master any more, and
 * none to come. */
static bool follow(struct standin *s)
{
    pid_t ended;
    int how;

    while ((ended = waitpid(-1, &how, WNOHANG)) > 0) {
        if (ended == s->pid) {
            s->status = how;
            s->ended = clock_now();
            s->pid = 0;
        }
    }
    return s->pid > 0 || find_next(s) || (has_relatives() && clock_now() - s->ended < PATIENCE_NS);
}

/* The next signal. While there is no master to pass it on to, all but SIGCHLD stay where they are: 0, to look again. */
static int next_signal(const struct standin *s, siginfo_t *info)
{
    struct timespec wait = {.tv_nsec = LOOK_NS};
    sigset_t set;
    int number;

    sigfillset(&set);
    if (s->pid > 0) {
        return sigwaitinfo(&set, info);
    }
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    number = sigtimedwait(&set, info, &wait);
    return number > 0 ? number : 0;
}

/* It is meant for lpm as a whole: in an upgrade, for both masters. It waits if there is none. */
static void pass_on(struct standin *s, int number)
{
    struct error err;
    pid_t holder;

    if (s->pid == 0) {
        kill(getpid(), number);
        return;
    }
    kill(s->pid, number);
    if (os_pidfile_read(s->pid_path, &holder, &err) == 0 && holder != s->pid) {
        s->next = holder;
        kill(holder, number);
    }
}

int master_standin(pid_t pid, const char *pid_path)
{
    struct standin s = {.pid = pid, .pid_path = pid_path};
    bool lives;

    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* the next master becomes our child when its parent ends */
    title_set("stand-in");
    lives = follow(&s);
    while (lives) {
        siginfo_t info;
        int number = next_signal(&s, &info);
        lives = follow(&s);
        /* What the terminal sends, the masters, in the same process group, have got themselves. */
        if (lives && number > 0 && number != SIGCHLD && info.si_code != SI_KERNEL) {
            pass_on(&s, number);
        }
    }
    return WIFEXITED(s.status) ? WEXITSTATUS(s.status) : 1;
}
