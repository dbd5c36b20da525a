/*
 * Binary upgrades. Runs in test programs; fails the test when a step does not come in time.
 */
#include "upgrade.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "wait.h"

static void upgrade_copy(const char *from, const char *to)
{
    FILE *in = fopen(from, "re"), *out = fopen(to, "we");
    char bytes[65536];
    size_t n;

    if (!in || !out) {
        fail_test("cannot copy %s to %s: %s", from, to, strerror(errno));
    }
    while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0) {
        if (fwrite(bytes, 1, n, out) != n) {
            fail_test("%s: %s", to, strerror(errno));
        }
    }
    fclose(in);
    if (fclose(out) != 0 || chmod(to, 0755) != 0) {
        fail_test("%s: %s", to, strerror(errno));
    }
}

void upgrade_install(const struct server *s, const char *from)
{
    char path[4200], fresh[4200];

    server_path(s, "bin/lpm", path, sizeof(path));
    server_path(s, "bin/lpm.new", fresh, sizeof(fresh));
    upgrade_copy(from ? from : LPM_BUILD_DIR "/lpm", fresh);
    if (rename(fresh, path) != 0) {
        fail_test("%s: %s", path, strerror(errno));
    }
}

void upgrade_program(struct server *s)
{
    static char path[4200];

    if (mkdir(server_path(s, "bin", path, sizeof(path)), 0755) != 0) {
        fail_test("%s: %s", path, strerror(errno));
    }
    upgrade_install(s, NULL);
    s->program = server_path(s, "bin/lpm", path, sizeof(path));
}

pid_t upgrade_pid(const struct server *s, const char *name)
{
    char path[4200];
    char *text = run_read_file(server_path(s, name, path, sizeof(path)));
    pid_t pid = text ? atoi(text) : 0;

    free(text);
    if (pid <= 0) {
        fail_test("%s names no process", path);
    }
    return pid;
}

pid_t upgrade_begin(struct server *s)
{
    pid_t old = upgrade_pid(s, "run/lpm.pid"), new;
    char text[64];

    server_mark(s);
    if (kill(old, SIGUSR2) != 0) {
        fail_test("cannot signal the master");
    }
    server_wait_log(s, "the new master (pid ", UPGRADE_MS);
    new = upgrade_pid(s, "run/lpm.pid");
    snprintf(text, sizeof(text), "the new master (pid %d) is online", (int)new);
    server_wait_log(s, text, UPGRADE_MS);
    assert_int_equal(upgrade_pid(s, "run/lpm.pid.oldbin"), old);
    assert_int_not_equal(new, old);
    return new;
}

void upgrade_finish(struct server *s)
{
    pid_t old = upgrade_pid(s, "run/lpm.pid.oldbin");
    int pidfd = wait_open(old);
    char text[64];

    server_mark(s);
    if (kill(old, SIGQUIT) != 0) {
        fail_test("cannot signal the old master");
    }
    snprintf(text, sizeof(text), "the old master (pid %d) has gone", (int)old);
    server_wait_log(s, text, UPGRADE_MS);
    /* The process that was started stays, as a stand-in. */
    if (pidfd < 0 || (old != s->pid && !wait_gone(pidfd, wait_until(UPGRADE_MS)))) {
        fail_test("the old master (pid %d) is still there", (int)old);
    }
    close(pidfd);
}
