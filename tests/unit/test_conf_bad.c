/*
 * Each file in tests/system/conf_bad against its first line, as far as the checks of the configuration reach. What
 * only the whole program can see says so in its second line.
 */
#include "conf_fixture.h"

#include <dirent.h>
#include <sys/stat.h>

#define FOLDER  LPM_SOURCE_DIR "/tests/system/conf_bad"
#define EXPECT  "# expect: lpm: "
#define PROGRAM "# Only the whole program can see it.\n"

static char *load(const char *name, size_t *len)
{
    char path[1024], *text = calloc(1, 1 << 16);
    snprintf(path, sizeof(path), FOLDER "/%s", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    *len = fread(text, 1, (1 << 16) - 1, file);
    fclose(file);
    return text;
}

/* All the checks, in the order in which lpm -t makes them. */
static void check(struct error *err)
{
    struct conf_core core;
    struct conf_tree *tree;
    static const struct conf_table table = {"core", conf_core_directives};
    const struct conf_schema partial = {.tables = &table, .table_count = 1, .partial = true};
    bool http = false;

    if (conf_parse(&tree, "conf/lpm.conf", NULL, err) != LPM_OK) {
        return;
    }
    if (conf_schema_check(tree, &partial, err) == LPM_OK && conf_core_read(&core, tree, err) == LPM_OK) {
        for (size_t i = 0; i < core.module_count; i++) {
            http = http || strstr(core.modules[i].path, "lpm_http.so");
        }
        fixture_check(tree, http, err);
    }
    conf_tree_free(tree);
}

static void gives_the_expected_line(void **state)
{
    (void)state;
    DIR *dir = opendir(FOLDER);
    size_t count = 0, wrong = 0;

    assert_non_null(dir);
    assert_int_equal(mkdir("conf", 0700), 0);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        struct error err = {.text = ""};
        size_t len;
        if (entry->d_name[0] == '.') {
            continue;
        }
        char *text = load(entry->d_name, &len), *end = strchr(text, '\n');
        assert_memory_equal(text, EXPECT, strlen(EXPECT));
        if (strncmp(end + 1, PROGRAM, strlen(PROGRAM)) != 0) {
            fixture_write("conf/lpm.conf", text, len);
            check(&err);
            *end = '\0';
            if (strcmp(err.text, text + strlen(EXPECT)) != 0) {
                print_error("%s\n  found    %s\n  expected %s\n", entry->d_name, err.text,
                            text + strlen(EXPECT));
                wrong++;
            }
            count++;
        }
        free(text);
    }
    closedir(dir);
    assert_int_equal(wrong, 0);
    assert_true(count >= 35);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gives_the_expected_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
