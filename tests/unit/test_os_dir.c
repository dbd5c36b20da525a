/*
 * Directories that are made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lpm/module.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os_dir.h"

static mode_t mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? st.st_mode & 07777 : 0;
}

static void test_made(void **state)
{
    (void)state;
    static const char *const paths[] = {"one",    "a/b/c", "a/b/c", "a/b/d/", "./e//f///g",
                                        "a/../h", ".",     "/",     "a/b"};
    struct error err;
    umask(0);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(os_dir_make_all(paths[i], 0750, &err), 0);
        assert_true(mode_of(paths[i]) != 0);
    }
    assert_int_equal(mode_of("one"), 0750);
    assert_int_equal(mode_of("a"), 0750);
    assert_int_equal(mode_of("e/f/g"), 0750);
    assert_true(mode_of("h") != 0);
}

static void test_absolute(void **state)
{
    (void)state;
    char path[5000];
    struct error err;
    assert_non_null(getcwd(path, 4096));
    strcat(path, "/deep/deeper");
    assert_int_equal(os_dir_make_all(path, 0755, &err), 0);
    assert_true(mode_of("deep/deeper") != 0);
}

static void test_what_is_there_stays(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(mkdir("there", 0700), 0);
    assert_int_equal(os_dir_make_all("there/more", 0755, &err), 0);
    assert_int_equal(mode_of("there"), 0700);
    assert_int_equal(symlink("there", "link"), 0);
    assert_int_equal(os_dir_make_all("link/other", 0755, &err), 0);
    assert_true(mode_of("there/other") != 0);
}

static void test_refused(void **state)
{
    (void)state;
    struct error err;
    char path[5000];

    FILE *file = fopen("file", "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(os_dir_make_all("file", 0755, &err), LPM_EIO);
    assert_string_equal(err.text, "cannot make the directory file: there is something else of that name");
    assert_int_equal(os_dir_make_all("file/a", 0755, &err), LPM_EIO);
    assert_string_equal(err.text, "cannot make the directory file: there is something else of that name");
    assert_int_equal(os_dir_make_all("", 0755, &err), LPM_EIO);
    assert_int_equal(os_dir_make_all("/proc/no/such", 0755, &err), LPM_EIO);
    assert_string_equal(err.text, "cannot make the directory /proc/no: No such file or directory");
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(os_dir_make_all(path, 0755, &err), LPM_EIO);
    assert_non_null(strstr(err.text, "File name too long"));
}

static void test_parent(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(os_dir_make_parent("p/q/file", 0755, &err), 0);
    assert_true(mode_of("p/q") != 0);
    assert_int_equal(access("p/q/file", F_OK), -1);
    assert_int_equal(os_dir_make_parent("file-alone", 0755, &err), 0);
    assert_int_equal(os_dir_make_parent("/file-of-the-root", 0755, &err), 0);
    assert_int_equal(os_dir_make_parent("/proc/no/file", 0755, &err), LPM_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made),
        cmocka_unit_test(test_absolute),
        cmocka_unit_test(test_what_is_there_stays),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
