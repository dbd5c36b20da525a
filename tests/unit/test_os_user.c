/*
 * Who a process runs as. What only root can do is skipped for others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <grp.h>
#include <lpm/module.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os_user.h"

/* Runs `check` in a child of its own; it returns 0, or a number that says where it failed. */
static void in_child(int (*check)(void))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(check());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void only_root(void)
{
    if (geteuid() != 0) {
        skip();
    }
}

static void test_unknown(void **state)
{
    (void)state;
    struct os_user user;
    struct error err;
    char name[200];

    assert_int_equal(os_user_find(&user, "no-such-user-here", &err), LPM_ECONF);
    assert_string_equal(err.text, "unknown user \"no-such-user-here\"");
    assert_int_equal(os_user_find(&user, "", &err), LPM_ECONF);
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(os_user_find(&user, name, &err), LPM_ECONF);
}

static void test_ourselves(void **state)
{
    (void)state;
    struct os_user user;
    struct error err;
    const struct passwd *pw = getpwuid(geteuid());

    if (!pw) {
        skip();
    }
    assert_int_equal(os_user_find(&user, pw->pw_name, &err), 0);
    assert_false(user.change);
}

static void test_root_default(void **state)
{
    (void)state;
    struct os_user user;
    struct error err;

    only_root();
    const struct passwd *pw = getpwnam("nobody");
    assert_int_equal(os_user_find(&user, NULL, &err), 0);
    assert_true(user.change);
    assert_string_equal(user.name, "nobody");
    assert_int_equal(user.uid, pw->pw_uid);
    assert_int_equal(user.gid, pw->pw_gid);
}

static int check_become(void)
{
    struct os_user user;
    struct error err;
    uid_t r, e, s;
    gid_t gr, ge, gs, groups[64];

    if (setgroups(2, (gid_t[]){0, 4711}) != 0 || os_user_find(&user, "nobody", &err) != 0) {
        return 1;
    }
    if (os_user_become(&user, &err) != 0) {
        return 2;
    }
    if (getresuid(&r, &e, &s) != 0 || r != user.uid || e != user.uid || s != user.uid) {
        return 3;
    }
    if (getresgid(&gr, &ge, &gs) != 0 || gr != user.gid || ge != user.gid || gs != user.gid) {
        return 4;
    }
    int count = getgroups(64, groups);
    for (int i = 0; i < count; i++) {
        if (groups[i] == 0 || groups[i] == 4711) {
            return 5;
        }
    }
    if (setuid(0) == 0 || setgid(0) == 0 || setgroups(0, NULL) == 0) {
        return 6;
    }
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 ? 0 : 7;
}

static void test_become(void **state)
{
    (void)state;
    only_root();
    in_child(check_become);
}

static int check_no_change(void)
{
    struct os_user user = {.change = false};
    struct error err;
    uid_t before = geteuid();
    if (os_user_become(&user, &err) != 0 || geteuid() != before) {
        return 1;
    }
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 2;
}

static void test_no_change(void **state)
{
    (void)state;
    in_child(check_no_change);
}

/* As nobody: another name is refused, none is not, and what cannot be done is said. */
static int check_unprivileged(void)
{
    struct os_user user;
    struct error err;

    if (os_user_find(&user, "nobody", &err) != 0 || setresgid(user.gid, user.gid, user.gid) != 0 ||
        setresuid(user.uid, user.uid, user.uid) != 0) {
        return 1;
    }
    if (os_user_find(&user, NULL, &err) != 0 || user.change) {
        return 2;
    }
    if (os_user_find(&user, "nobody", &err) != 0 || user.change) {
        return 3;
    }
    if (os_user_find(&user, "root", &err) != LPM_ECONF ||
        strcmp(err.text, "only root can run workers as \"root\"; lpm was started by \"nobody\"") != 0) {
        return 4;
    }
    user = (struct os_user){.change = true, .uid = 1, .gid = 1, .name = "daemon"};
    if (os_user_become(&user, &err) != LPM_EIO ||
        strcmp(err.text, "cannot become \"daemon\": initgroups: Operation not permitted") != 0) {
        return 5;
    }
    return 0;
}

static void test_unprivileged(void **state)
{
    (void)state;
    only_root();
    in_child(check_unprivileged);
}

/* A change that leaves root in place is found out. */
static int check_way_back(void)
{
    struct os_user user = {.change = true, .uid = 0, .gid = 0, .name = "root"};
    struct error err;
    return os_user_become(&user, &err) == LPM_EIO && strstr(err.text, "the way back to root stays open") ? 0
                                                                                                         : 1;
}

static void test_way_back(void **state)
{
    (void)state;
    only_root();
    in_child(check_way_back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown),      cmocka_unit_test(test_ourselves),
        cmocka_unit_test(test_root_default), cmocka_unit_test(test_become),
        cmocka_unit_test(test_no_change),    cmocka_unit_test(test_unprivileged),
        cmocka_unit_test(test_way_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
