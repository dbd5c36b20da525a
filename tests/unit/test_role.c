/*
 * How a child becomes its role. Each test forks a process that plays the master, and that one the child.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "role/role.h"

#define LOG_FILE "role.log"
#define WAIT_MS  10000 /* a child that does not die in this time never will */

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

static void init_start(struct role_start *start)
{
    struct error err;
    memset(start, 0, sizeof(*start));
    start->master = getpid();
    start->channel = -1;
    assert_int_equal(os_user_find(&start->user, NULL, &err), 0);
    int fd = open(LOG_FILE, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    log_init(&start->log, fd, LPM_LOG_DEBUG, "master");
}

static void handler(int number)
{
    (void)number;
}

/* What a master may hand down: handlers, ignored and blocked signals, an umask, descriptors. */
static void spoil(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signal(SIGTERM, handler);
    signal(SIGCHLD, handler);
    signal(SIGSEGV, handler);
    signal(SIGHUP, SIG_IGN);
    signal(SIGRTMAX, handler);
    signal(SIGPIPE, SIG_DFL);
    umask(077);
}

static bool signals_are_clean(void)
{
    struct sigaction act;
    sigset_t mask;

    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(&mask, number) == 1) {
            return false;
        }
        if (number == SIGKILL || number == SIGSTOP || sigaction(number, NULL, &act) != 0) {
            continue;
        }
        if (act.sa_handler != (number == SIGPIPE || number == SIGXFSZ ? SIG_IGN : SIG_DFL)) {
            return false;
        }
    }
    return true;
}

/* In the child: 0, or the number of the first thing that is not as role.h says. */
static int check_entered(const struct role_start *start, const struct os_user *user, int kept, int closed)
{
    char comm[16];
    int pdeathsig = 0;

    if (!signals_are_clean()) {
        return 10;
    }
    if (getpgrp() != getpid()) {
        return 11;
    }
    if (!is_open(0) || !is_open(1) || !is_open(2) || !is_open(start->log.fd) || !is_open(start->channel) ||
        !is_open(kept) || is_open(closed)) {
        return 12;
    }
    if (geteuid() != user->uid || getegid() != user->gid) {
        return 13;
    }
    if (prctl(PR_GET_PDEATHSIG, &pdeathsig) != 0 || pdeathsig != SIGKILL) {
        return 14;
    }
    if (umask(0) != 022) {
        return 15;
    }
    if (strcmp(start->log.who, "worker default/0") != 0) {
        return 16;
    }
    prctl(PR_GET_NAME, comm);
    if (strcmp(comm, "lpm: worker def") != 0) {
        return 17;
    }
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 18;
}

static void test_enter(void **state)
{
    (void)state;
    struct role_start start;
    int kept = dup(0), closed = dup(0), status;

    init_start(&start);
    start.channel = dup(0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct os_user user = start.user;
        spoil();
        if (role_enter(&start, "worker default/0", &kept, 1) != 0) {
            _exit(1);
        }
        _exit(check_entered(&start, &user, kept, closed));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(kept);
    close(closed);
    close(start.channel);
    close(start.log.fd);
}

/* Without a log, a channel or anything to keep. */
static void test_enter_bare(void **state)
{
    (void)state;
    struct role_start start;
    int closed = dup(0), status;

    init_start(&start);
    close(start.log.fd);
    start.log.fd = -1;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(role_enter(&start, "bus", NULL, 0) == 0 && !is_open(closed) && is_open(2) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(closed);
}

/* true once nobody has the other end of the pipe any more; false when that took too long. */
static bool wait_for_end(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char c;
    return poll(&p, 1, WAIT_MS) == 1 && read(fd, &c, 1) == 0;
}

/* The child dies with a master that was killed: it alone still held the pipe. */
static void test_dies_with_master(void **state)
{
    (void)state;
    int alive[2];
    char c;

    assert_int_equal(pipe(alive), 0);
    pid_t master = fork();
    assert_true(master >= 0);
    if (master == 0) {
        struct role_start start;
        init_start(&start);
        pid_t pid = fork();
        if (pid == 0) {
            if (role_enter(&start, "worker default/0", &alive[1], 1) != 0 || write(alive[1], "x", 1) != 1) {
                _exit(1);
            }
            for (;;) {
                pause();
            }
        }
        close(alive[1]);
        for (;;) {
            pause();
        }
    }
    close(alive[1]);
    assert_int_equal(read(alive[0], &c, 1), 1); /* it has entered */
    assert_int_equal(kill(master, SIGKILL), 0);
    assert_int_equal(waitpid(master, NULL, 0), master);
    assert_true(wait_for_end(alive[0]));
    close(alive[0]);
}

/* A master that died before its child could watch it: the child waits for that, then enters, and must not. */
static void test_master_gone_before(void **state)
{
    (void)state;
    int alive[2], result[2], number = 0;

    assert_int_equal(pipe(alive), 0);
    assert_int_equal(pipe(result), 0);
    pid_t master = fork();
    assert_true(master >= 0);
    if (master == 0) {
        struct role_start start;
        init_start(&start);
        pid_t pid = fork();
        if (pid == 0) {
            char c;
            close(alive[1]);
            if (read(alive[0], &c, 1) != 0) { /* ends when the master and the test have closed it */
                _exit(1);
            }
            number = role_enter(&start, "worker default/0", &result[1], 1);
            _exit(write(result[1], &number, sizeof(number)) == sizeof(number) ? 0 : 1);
        }
        _exit(pid > 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(master, NULL, 0), master);
    close(alive[1]);
    close(result[1]);
    assert_int_equal(read(result[0], &number, sizeof(number)), sizeof(number));
    assert_int_equal(number, LPM_EIO);
    assert_true(wait_for_end(result[0]));
    close(alive[0]);
    close(result[0]);
}

/* What went wrong is in the log, under the child's name. */
static void test_failure_is_logged(void **state)
{
    (void)state;
    struct role_start start;
    char text[4096] = "";
    int status;

    assert_true(unlink(LOG_FILE) == 0);
    init_start(&start);
    start.user = (struct os_user){.change = true, .uid = 0, .gid = 0, .name = "root"};
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(role_enter(&start, "worker images/1", NULL, 0) == LPM_EIO ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(start.log.fd);
    FILE *file = fopen(LOG_FILE, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    assert_non_null(strstr(text, "[crit]"));
    assert_non_null(strstr(text, " worker images/1: cannot become \"root\": "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enter),
        cmocka_unit_test(test_enter_bare),
        cmocka_unit_test(test_dies_with_master),
        cmocka_unit_test(test_master_gone_before),
        cmocka_unit_test(test_failure_is_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
