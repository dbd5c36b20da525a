/*
 * The pid file: one instance, a stale file, a file that is not ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os_pidfile.h"

#define PATH "run/lpm.pid"

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void assert_file(const char *path, const char *want)
{
    char text[64] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    assert_string_equal(text, want);
}

static const char *our_text(char room[32])
{
    snprintf(room, 32, "%ld\n", (long)getpid());
    return room;
}

/* A process that holds PATH; its pid. It ends when `*hold` is closed. */
static pid_t holder(int *hold)
{
    int ready[2], end[2];
    char c;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(end, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct os_pidfile file;
        struct error err;
        close(end[1]);
        if (os_pidfile_lock(&file, PATH, &err) != 0 || write(ready[1], "x", 1) != 1) {
            _exit(1);
        }
        _exit(read(end[0], &c, 1) == 0 ? 0 : 1);
    }
    close(ready[1]);
    close(end[0]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    *hold = end[1];
    return pid;
}

static void test_lock_and_remove(void **state)
{
    (void)state;
    struct os_pidfile file;
    struct error err;
    struct stat st;
    char room[32];
    pid_t pid = 0;

    umask(022);
    assert_int_equal(os_pidfile_lock(&file, PATH, &err), 0);
    assert_file(PATH, our_text(room));
    assert_int_equal(stat("run", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0755);
    assert_true(fcntl(file.fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(os_pidfile_read(PATH, &pid, &err), 0);
    assert_int_equal(pid, getpid());
    os_pidfile_remove(&file);
    assert_int_equal(file.fd, -1);
    assert_int_equal(access(PATH, F_OK), -1);
    os_pidfile_remove(&file); /* nothing is left to do */
}

static void test_second_instance(void **state)
{
    (void)state;
    struct os_pidfile file;
    struct error err;
    char want[128];
    int hold;
    pid_t pid = holder(&hold), found;

    assert_int_equal(os_pidfile_lock(&file, PATH, &err), LPM_EAGAIN);
    snprintf(want, sizeof(want), "lpm already runs here: pid %ld holds " PATH, (long)pid);
    assert_string_equal(err.text, want);
    assert_int_equal(file.fd, -1);
    snprintf(want, sizeof(want), "%ld\n", (long)pid);
    assert_file(PATH, want);
    assert_int_equal(os_pidfile_read(PATH, &found, &err), 0);
    assert_int_equal(found, pid);

    close(hold);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_stale_file(void **state)
{
    (void)state;
    struct os_pidfile file;
    struct error err;
    char room[32];
    int hold;
    pid_t pid = holder(&hold);

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(hold);
    assert_int_equal(access(PATH, F_OK), 0);
    assert_int_equal(os_pidfile_read(PATH, &pid, &err), LPM_EAGAIN);
    assert_string_equal(err.text, "lpm does not run here: nobody holds the pid file " PATH);

    write_file(PATH, "123456789 and much text of another program\n");
    assert_int_equal(os_pidfile_lock(&file, PATH, &err), 0);
    assert_file(PATH, our_text(room));
    os_pidfile_remove(&file);
}

/* Who replaced our file keeps its own. */
static void test_replaced_file(void **state)
{
    (void)state;
    struct os_pidfile file;
    struct error err;

    assert_int_equal(os_pidfile_lock(&file, PATH, &err), 0);
    assert_int_equal(unlink(PATH), 0);
    write_file(PATH, "4711\n");
    os_pidfile_remove(&file);
    assert_file(PATH, "4711\n");
    assert_int_equal(unlink(PATH), 0);
}

/* The lock goes with the file, and another one can be made where it was. */
static void test_rename(void **state)
{
    (void)state;
    struct os_pidfile file, other;
    struct error err;
    char room[32];
    pid_t pid;

    assert_int_equal(os_pidfile_lock(&file, PATH, &err), 0);
    assert_int_equal(os_pidfile_rename(&file, PATH ".old", &err), 0);
    assert_int_equal(access(PATH, F_OK), -1);
    assert_int_equal(os_pidfile_read(PATH ".old", &pid, &err), 0);
    assert_int_equal(pid, getpid());
    assert_int_equal(os_pidfile_lock(&other, PATH, &err), 0);
    os_pidfile_remove(&other);

    write_file(PATH, "4711\n"); /* what a killed one has left is replaced */
    assert_int_equal(os_pidfile_rename(&file, PATH, &err), 0);
    assert_file(PATH, our_text(room));
    assert_int_equal(access(PATH ".old", F_OK), -1);
    assert_int_equal(os_pidfile_rename(&file, "no/such/directory", &err), LPM_EIO);
    assert_string_equal(err.text, "cannot rename the pid file " PATH " to no/such/directory: "
                                  "No such file or directory");
    assert_int_equal(unlink(PATH), 0);
    write_file(PATH, "4711\n");
    assert_int_equal(os_pidfile_rename(&file, PATH ".old", &err), LPM_EIO); /* that is not ours */
    os_pidfile_remove(&file);
    assert_file(PATH, "4711\n");
    assert_int_equal(unlink(PATH), 0);
}

static void test_sweep(void **state)
{
    (void)state;
    write_file(PATH, "4711\n");
    os_pidfile_sweep(PATH, 4712);
    assert_file(PATH, "4711\n");
    os_pidfile_sweep(PATH, 4711);
    assert_int_equal(access(PATH, F_OK), -1);
    os_pidfile_sweep(PATH, 4711);
}

static void test_read(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "\n",
                                        "0\n",
                                        "-1\n",
                                        "12",
                                        "12 \n",
                                        "12\n13\n",
                                        " 12\n",
                                        "x\n",
                                        "2147483648\n",
                                        "99999999999999999999999\n"};
    struct os_pidfile file;
    struct error err;
    pid_t pid;

    assert_int_equal(os_pidfile_read("no/such.pid", &pid, &err), LPM_EAGAIN);
    assert_string_equal(err.text, "lpm does not run here: there is no pid file no/such.pid");
    assert_int_equal(os_pidfile_lock(&file, PATH, &err), 0);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        write_file(PATH, texts[i]);
        assert_int_equal(os_pidfile_read(PATH, &pid, &err), LPM_EIO);
        assert_string_equal(err.text, "the pid file " PATH " is held, but its text is no pid");
    }
    os_pidfile_remove(&file);
}

static void test_refused(void **state)
{
    (void)state;
    struct os_pidfile file;
    struct error err;
    pid_t pid;

    assert_int_equal(mkdir("run/dir", 0755), 0);
    assert_int_equal(os_pidfile_lock(&file, "run/dir", &err), LPM_EIO);
    assert_string_equal(err.text, "cannot open the pid file run/dir: Is a directory");
    assert_int_equal(os_pidfile_read("run/dir", &pid, &err), LPM_EIO);

    assert_int_equal(mkfifo("run/fifo", 0600), 0);
    assert_int_equal(os_pidfile_lock(&file, "run/fifo", &err), LPM_EIO);
    assert_string_equal(err.text, "cannot use the pid file run/fifo: it is no regular file");
    assert_int_equal(access("run/fifo", F_OK), 0);
    assert_int_equal(os_pidfile_read("run/fifo", &pid, &err), LPM_EIO);

    write_file("run/target", "precious\n");
    assert_int_equal(symlink("target", "run/link"), 0);
    assert_int_equal(os_pidfile_lock(&file, "run/link", &err), LPM_EIO);
    assert_file("run/target", "precious\n");
    assert_int_equal(os_pidfile_lock(&file, "/proc/no/lpm.pid", &err), LPM_EIO);
}

/* Many processes lock and remove the same file without a pause: never do two hold it. What shows it is a second
 * file, created exclusively by who holds the first. */
static void test_race(void **state)
{
    (void)state;
    enum { PROCESSES = 4, ROUNDS = 300 };
    int won = 0;

    for (int i = 0; i < PROCESSES; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            int wins = 0;
            for (int round = 0; round < ROUNDS; round++) {
                struct os_pidfile file;
                struct error err;
                int rc = os_pidfile_lock(&file, "run/race.pid", &err);
                if (rc == LPM_EAGAIN) {
                    continue;
                }
                int fd = rc == 0 ? open("run/only-one", O_CREAT | O_EXCL | O_WRONLY, 0600) : -1;
                if (fd < 0 || close(fd) != 0 || unlink("run/only-one") != 0) {
                    _exit(100);
                }
                os_pidfile_remove(&file);
                wins++;
            }
            _exit(wins > 0 ? 1 : 0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_true(WIFEXITED(status));
        assert_int_not_equal(WEXITSTATUS(status), 100);
        won += WEXITSTATUS(status);
    }
    assert_true(won > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lock_and_remove),
        cmocka_unit_test(test_second_instance),
        cmocka_unit_test(test_stale_file),
        cmocka_unit_test(test_replaced_file),
        cmocka_unit_test(test_rename),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
