/*
 * Log files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os_log.h"

static void test_appends(void **state)
{
    (void)state;
    struct error err;
    struct stat st;
    char text[16] = "";

    umask(022);
    int a = os_log_open("logs/deep/error.log", &err);
    int b = os_log_open("logs/deep/error.log", &err);
    assert_true(a >= 0 && b >= 0);
    assert_int_equal(write(a, "1\n", 2), 2);
    assert_int_equal(write(b, "2\n", 2), 2);
    assert_int_equal(write(a, "3\n", 2), 2);
    assert_true(fcntl(a, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fstat(a, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_int_equal(stat("logs/deep", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0755);
    close(a);
    close(b);

    FILE *file = fopen("logs/deep/error.log", "r");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof(text) - 1, file), 6);
    fclose(file);
    assert_string_equal(text, "1\n2\n3\n");
}

static void test_refused(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(mkdir("dir", 0755), 0);
    assert_int_equal(os_log_open("dir", &err), LPM_EIO);
    assert_string_equal(err.text, "cannot open the log dir: Is a directory");
    assert_int_equal(os_log_open("/proc/no/error.log", &err), LPM_EIO);
    assert_non_null(strstr(err.text, "/proc/no"));
}

/* Nobody has to read a named pipe, and nobody waits for who does. */
static void test_fifo(void **state)
{
    (void)state;
    static const char page[4096];
    struct error err;
    int fd, reader;

    assert_int_equal(mkfifo("pipe", 0600), 0);
    fd = os_log_open("pipe", &err);
    assert_true(fd >= 0);
    while (write(fd, page, sizeof(page)) > 0) {
    }
    assert_int_equal(errno, EAGAIN);
    close(fd);
    reader = open("pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    fd = os_log_open("pipe", &err);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "1\n", 2), 2);
    close(fd);
    close(reader);
}

/* The pipe is the same, and those who share it see no difference. */
static void test_own(void **state)
{
    (void)state;
    static char page[4096];
    int fds[2], ours;

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    ours = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
    os_log_own(ours);
    assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
    while (write(ours, page, sizeof(page)) > 0) {
    }
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(read(fds[0], page, sizeof(page)), sizeof(page));
    close(fds[0]);
    close(fds[1]);
    close(ours);

    ours = open("own.log", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    fds[0] = dup(ours);
    os_log_own(ours);
    assert_int_equal(write(fds[0], "1\n", 2), 2);
    assert_int_equal(write(ours, "2\n", 2), 2); /* behind it: the place in the file is still one */
    assert_int_equal(lseek(ours, 0, SEEK_CUR), 4);
    close(fds[0]);
    close(ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_appends), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_fifo), cmocka_unit_test(test_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
