/*
 * loader_file.c: the copies of module files, and what is said when they cannot be made.
 */
#include "loader/loader_file.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void assert_holds(const char *path, const char *text)
{
    char found[64] = "";
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fread(found, 1, sizeof(found) - 1, f), strlen(text));
    fclose(f);
    assert_string_equal(found, text);
}

static struct lpm_conf node = {.name = "load_module", .file = "conf/lpm.conf", .line = 5};

static void copies_are_private_and_readable(void **state)
{
    struct conf_module modules[] = {{.path = "sub/a.so", .node = &node}, {.path = "b.so", .node = &node}};
    struct conf_core core = {.modules = modules, .module_count = 2};
    struct error err;
    struct stat st;
    mode_t mask = umask(0077);
    (void)state;

    mkdir("sub", 0755);
    put("sub/a.so", "one");
    put("b.so", "two");
    mkdir("gen1", 0755);
    mkdir("gen2", 0755);
    assert_int_equal(loader_copy(&core, NULL, "gen1", &err), 0);
    umask(mask);
    assert_holds("gen1/000-a.so", "one");
    assert_holds("gen1/001-b.so", "two");
    assert_int_equal(stat("gen1/000-a.so", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);

    /* The next generation from the copies: what became of the files does not matter. */
    put("sub/a.so", "new");
    unlink("b.so");
    assert_int_equal(loader_copy(&core, "gen1", "gen2", &err), 0);
    assert_holds("gen2/000-a.so", "one");
    assert_holds("gen2/001-b.so", "two");

    loader_remove(&core, "gen1");
    loader_remove(&core, "gen2");
    assert_int_equal(access("gen1", F_OK), -1);
    assert_int_equal(access("gen2", F_OK), -1);
}

static void what_is_no_file_is_refused(void **state)
{
    static const struct {
        const char *path;
        const struct lpm_conf *node;
        const char *text;
    } rows[] = {
        {"x.so", &node, "cannot open module \"x.so\": No such file or directory in conf/lpm.conf:5"},
        {"x.so", NULL, "cannot open module \"x.so\": No such file or directory"},
        {"folder", &node, "cannot open module \"folder\": not a regular file in conf/lpm.conf:5"},
        {"fifo", &node, "cannot open module \"fifo\": not a regular file in conf/lpm.conf:5"},
        {"/dev/zero", &node, "cannot open module \"/dev/zero\": not a regular file in conf/lpm.conf:5"},
    };
    struct error err;
    (void)state;

    mkdir("folder", 0755);
    mkdir("gen", 0755);
    assert_int_equal(mkfifo("fifo", 0644), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct conf_module module = {.path = rows[i].path, .node = rows[i].node};
        struct conf_core core = {.modules = &module, .module_count = 1};
        assert_int_equal(loader_copy(&core, NULL, "gen", &err), LPM_ECONF);
        assert_string_equal(err.text, rows[i].text);
    }
    assert_int_equal(rmdir("gen"), 0);
}

static void unreadable_file_is_refused(void **state)
{
    struct conf_module module = {.path = "secret.so", .node = &node};
    struct conf_core core = {.modules = &module, .module_count = 1};
    struct error err;
    (void)state;

    int rc;

    put("secret.so", "x");
    chmod("secret.so", 0);
    mkdir("gen", 0755);
    /* Root reads everything. */
    bool root = geteuid() == 0;
    if (root) {
        assert_int_equal(seteuid(65534), 0);
    }
    rc = loader_copy(&core, NULL, "gen", &err);
    if (root) {
        assert_int_equal(seteuid(0), 0);
    }
    assert_int_equal(rc, LPM_ECONF);
    assert_string_equal(err.text, "cannot open module \"secret.so\": Permission denied in conf/lpm.conf:5");
    rmdir("gen");
}

static void target_that_fails_is_an_error(void **state)
{
    struct conf_module module = {.path = "c.so", .node = &node};
    struct conf_core core = {.modules = &module, .module_count = 1};
    struct error err;
    (void)state;

    put("c.so", "x");
    assert_int_equal(loader_copy(&core, NULL, "nowhere", &err), LPM_EIO);
    assert_string_equal(err.text,
                        "cannot create \"nowhere/000-c.so\", the copy of module \"c.so\": No such file or "
                        "directory in conf/lpm.conf:5");
    /* Something waits there already: never written through. */
    mkdir("gen", 0755);
    put("victim", "safe");
    assert_int_equal(symlink("../victim", "gen/000-c.so"), 0);
    assert_int_equal(loader_copy(&core, NULL, "gen", &err), LPM_EIO);
    assert_holds("victim", "safe");
    loader_remove(&core, "gen");
    assert_holds("victim", "safe");
}

static void names_of_copies(void **state)
{
    char room[LOADER_PATH_SIZE], *dir;
    (void)state;

    assert_int_equal(loader_file_name(room, "run/gen1", 7, "/a/b/c.so"), 0);
    assert_string_equal(room, "run/gen1/007-c.so");
    assert_int_equal(loader_file_name(room, "g", 1234, "c.so"), 0);
    assert_string_equal(room, "g/1234-c.so");
    dir = test_malloc(LOADER_PATH_SIZE);
    memset(dir, 'd', LOADER_PATH_SIZE - 1);
    dir[LOADER_PATH_SIZE - 1] = '\0';
    assert_int_equal(loader_file_name(room, dir, 0, "c.so"), LPM_EINVAL);
    test_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_private_and_readable),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(unreadable_file_is_refused),
        cmocka_unit_test(target_that_fails_is_an_error),
        cmocka_unit_test(names_of_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
