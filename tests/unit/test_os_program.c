/*
 * The name of the file that was started, by the words that may have started it. The test is that program.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os_program.h"

/* LINKS is what a link below the working directory has as its absolute name. */
static void test_find(void **state)
{
    static const struct {
        const char *word, *path; /* `path`: PATH */
        const char *found;       /* below the working directory; NULL: the file itself */
    } rows[] = {
        {"dir/link", NULL, "/dir/link"},
        {"./link", NULL, "/./link"},
        {"link", "/nowhere:dir", "/dir/link"},
        {"link", "", "/link"},
        {"link", "dir/:/nowhere", "/dir/link"},
        {"link", "other:dir", "/dir/link"}, /* the first one of that name is another program */
        {"link", NULL, NULL},
        {"other/link", NULL, NULL},
        {"/no/such/file", NULL, NULL},
        {"-lpm", "dir", NULL},
        {"", "dir", NULL},
    };
    char here[PATH_MAX], self[PATH_MAX], want[2 * PATH_MAX], path[PATH_MAX];
    struct error err;
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    (void)state;
    assert_true(n > 0);
    self[n] = '\0';
    assert_non_null(getcwd(here, sizeof(here)));
    assert_int_equal(mkdir("dir", 0755) + mkdir("other", 0755), 0);
    assert_int_equal(symlink(self, "dir/link") + symlink(self, "link") + symlink("/bin/true", "other/link"),
                     0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].path) {
            setenv("PATH", rows[i].path, 1);
        } else {
            unsetenv("PATH");
        }
        assert_int_equal(os_program_find(rows[i].word, path, sizeof(path), &err), 0);
        snprintf(want, sizeof(want), "%s%s", rows[i].found ? here : self, rows[i].found ? rows[i].found : "");
        assert_string_equal(path, want);
    }
    snprintf(want, sizeof(want), "%s/link", here);
    assert_int_equal(os_program_find(want, path, sizeof(path), &err), 0);
    assert_string_equal(path, want);
}

static void test_no_room(void **state)
{
    struct error err;
    char path[4];

    (void)state;
    assert_int_not_equal(os_program_find("/x", path, sizeof(path), &err), 0);
    assert_string_equal(err.text, "cannot tell which file was started: /proc/self/exe: File name too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find), cmocka_unit_test(test_no_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
