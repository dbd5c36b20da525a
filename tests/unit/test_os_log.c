/*
 * Log files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_appends), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
