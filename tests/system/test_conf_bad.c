/*
 * `lpm -t` on every file in tests/system/conf_bad: the one line of error that the file's first line expects
 * ("# expect: lpm: ..."), and exit status 1, with nothing touched.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

#define EXPECT "# expect: "

/* Does lpm -t say exactly what the file expects? Prints the difference. */
static int is_refused(struct server *s, const char *name)
{
    char *text = run_read_file(name), want[2048], path[4200];
    struct run run;
    int good;

    assert_non_null(text);
    assert_int_equal(strncmp(text, EXPECT, strlen(EXPECT)), 0);
    snprintf(want, sizeof(want), "%.*s\n", (int)strcspn(text + strlen(EXPECT), "\n"), text + strlen(EXPECT));
    /* The file itself: some hold bytes that are no text. */
    unlink(server_path(s, "conf/lpm.conf", path, sizeof(path)));
    assert_int_equal(symlink(name, path), 0);
    server_command(s, &run, "-t", NULL);
    good = run_exit(&run) == 1 && strcmp(run.err, want) == 0;
    if (!good) {
        print_error("%s: exit status %d\n    said:     %s    expected: %s", name, run_exit(&run), run.err,
                    want);
    }
    run_free(&run);
    free(text);
    return good;
}

static void test_refusals(void **state)
{
    struct server *s = *state;
    glob_t files;
    size_t wrong = 0;

    assert_int_equal(glob(LPM_SOURCE_DIR "/tests/system/conf_bad/*.conf", 0, NULL, &files), 0);
    assert_true(files.gl_pathc >= 30);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        wrong += !is_refused(s, files.gl_pathv[i]);
    }
    globfree(&files);
    assert_int_equal(wrong, 0);
    server_check_clean(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals, server_setup, server_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
