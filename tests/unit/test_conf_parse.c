/* Text to tree: the grammar, files and includes. Words and quotes are in test_conf_token.c. */
#include "conf_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

/* A tree as text: "a(1,2){b()}". */
static void write_tree(const struct lpm_conf *block, char *room, size_t size)
{
    for (const struct lpm_conf *node = block->first; node; node = node->next) {
        size_t len = strlen(room);
        len += (size_t)snprintf(room + len, size - len, "%s(", node->name);
        for (size_t i = 0; i < node->arg_count; i++) {
            assert_int_equal(node->args[i].len, strlen(node->args[i].data));
            len += (size_t)snprintf(room + len, size - len, "%s%s", i ? "," : "", node->args[i].data);
        }
        snprintf(room + len, size - len, node->is_block ? "){" : ")");
        write_tree(node, room, size);
        if (node->is_block) {
            strcat(room, "}");
        }
        assert_ptr_equal(node->parent, block);
        assert_int_equal(node->fd, -1);
    }
}

static void assert_tree(struct conf_tree *tree, const char *expected)
{
    char room[1024] = "";
    write_tree(tree->root, room, sizeof(room));
    assert_string_equal(room, expected);
}

static void reads_the_grammar(void **state)
{
    (void)state;
    static const struct {
        const char *text, *tree;
    } cases[] = {
        {"", ""},
        {" \t\r\n# only a comment", ""},
        {"a;", "a()"},
        {"a b c ;", "a(b,c)"},
        {"a{}", "a(){}"},
        {"a b{c d;e{f;}}g;", "a(b){c(d)e(){f()}}g()"},
        {"a # b;\n c;", "a(c)"},
        {"a b#c;", "a(b#c)"},
        {"a\r\n\tb\r\n;\r\n", "a(b)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf_tree *tree = fixture_parse(cases[i].text);
        assert_tree(tree, cases[i].tree);
        conf_tree_free(tree);
    }
}

static void counts_lines(void **state)
{
    (void)state;
    struct conf_tree *tree = fixture_parse("a;\n\n# c\nb {\n  c\n  d;\n  e 'x\ny'; f;\n}\ng;");
    static const struct {
        char name;
        int line;
    } expected[] = {{'a', 1}, {'b', 4}, {'c', 5}, {'e', 7}, {'f', 8}, {'g', 10}};
    const struct lpm_conf *node = conf_tree_walk(tree->root);

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++, node = conf_tree_walk(node)) {
        assert_int_equal(node->name[0], expected[i].name);
        assert_int_equal(node->line, expected[i].line);
        assert_string_equal(node->file, "a.conf");
    }
    assert_null(node);
    conf_tree_free(tree);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"a", "directive \"a\" is not terminated by \";\" in a.conf:1"},
        {"\na\nb", "directive \"a\" is not terminated by \";\" in a.conf:2"},
        {"a {\nb }", "directive \"b\" is not terminated by \";\" in a.conf:2"},
        {"}", "unexpected \"}\" in a.conf:1"},
        {"a { } }", "unexpected \"}\" in a.conf:1"},
        {"a;;", "unexpected \";\" in a.conf:1"},
        {"\n{", "unexpected \"{\" in a.conf:2"},
        {"a {\n\nb { }\n", "unexpected end of file, expecting \"}\" in a.conf:4, \"a\" opens in a.conf:1"},
        {"a {\nb {", "unexpected end of file, expecting \"}\" in a.conf:2, \"b\" opens in a.conf:2"},
        {"include;", "\"include\" takes one argument, found none in a.conf:1"},
        {"include a b;", "\"include\" takes one argument, found 2 in a.conf:1"},
        {"include a { }", "directive \"include\" takes no \"{\" in a.conf:1"},
        {"include none;", "cannot open \"none\": No such file or directory in a.conf:1"},
        {"include \"\";", "cannot open \"\": No such file or directory in a.conf:1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {.text = ""};
        struct conf_tree *tree = (struct conf_tree *)&err;
        assert_true(conf_parse_text(&tree, "a.conf", cases[i].text, strlen(cases[i].text), &err) < 0);
        assert_string_equal(err.text, cases[i].error);
        assert_null(tree);
    }
}

static void refuses_a_nul(void **state)
{
    (void)state;
    struct error err;
    struct conf_tree *tree;
    assert_int_equal(conf_parse_text(&tree, "a.conf", "a;\n#\0\n", 6, &err), LPM_ECONF);
    assert_string_equal(err.text, "unexpected NUL byte in a.conf:2");
}

/* `count` times `part`, then `end`, is read or refused with `error`. */
static void try_many(size_t count, const char *part, const char *end, const char *error)
{
    struct error err = {.text = ""};
    struct conf_tree *tree;
    size_t len = strlen(part), size = count * len + strlen(end) + 1;
    char *text = malloc(size);

    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * len, part, len);
    }
    strcpy(text + count * len, end);
    assert_int_equal(conf_parse_text(&tree, "a.conf", text, size - 1, &err), error ? LPM_ECONF : LPM_OK);
    assert_string_equal(err.text, error ? error : "");
    conf_tree_free(tree);
    free(text);
}

static void bounds_words_and_blocks(void **state)
{
    (void)state;
    try_many(1025, "a ", ";", NULL);
    try_many(1026, "a ", ";", "directive \"a\" has over 1024 words in a.conf:1");
    try_many(64, "a{", "}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}", NULL);
    try_many(65, "a{", "", "blocks nest deeper than 64 in a.conf:1");
    try_many(1000000, "a{", "", "blocks nest deeper than 64 in a.conf:1");
    try_many(100000, "a{}\n", "", NULL);
}

static void put(const char *path, const char *text)
{
    fixture_write(path, text, strlen(text));
}

static struct conf_tree *read_files(const char *extra)
{
    struct error err = {.text = ""};
    struct conf_tree *tree;
    if (conf_parse(&tree, "main.conf", extra, &err) != LPM_OK) {
        fail_msg("%s", err.text);
    }
    return tree;
}

static void assert_refused(int code, const char *name, const char *error)
{
    struct error err = {.text = ""};
    struct conf_tree *tree;
    assert_int_equal(conf_parse(&tree, name, NULL, &err), code);
    assert_string_equal(err.text, error);
    assert_null(tree);
}

static void reads_files(void **state)
{
    (void)state;
    put("main.conf", "a;\nb { include inc.conf; d; }\ninclude no_*.conf;\ninclude p?.conf;\n");
    put("inc.conf", "\nc 1;");
    put("p2.conf", "p 2;");
    put("p1.conf", "p 1;");
    struct conf_tree *tree = read_files("e;\nf;");
    assert_tree(tree, "a()b(){c(1)d()}p(1)p(2)e()f()");

    const struct lpm_conf *c = conf_tree_child(conf_tree_child(tree->root, "b"), "c");
    assert_string_equal(c->file, "inc.conf");
    assert_int_equal(c->line, 2);
    assert_string_equal(conf_tree_child(tree->root, "d") ? "" : "main.conf", tree->root->file);
    assert_string_equal(conf_tree_child(tree->root, "f")->file, "-g");
    assert_int_equal(conf_tree_child(tree->root, "f")->line, 2);

    static const char *const files[] = {"main.conf", "inc.conf", "p1.conf", "p2.conf"};
    const struct conf_file *file = tree->files;
    for (size_t i = 0; i < 4; i++, file = file->next) {
        assert_string_equal(file->name, files[i]);
    }
    assert_null(file);
    assert_string_equal(tree->files->next->text, "\nc 1;");
    assert_int_equal(tree->files->next->len, 5);
    conf_tree_free(tree);
}

static void faults_in_files(void **state)
{
    (void)state;
    put("main.conf", "a {\n include inc.conf;\n}");
    put("inc.conf", "}");
    assert_refused(LPM_ECONF, "main.conf", "unexpected \"}\" in inc.conf:1");
    put("inc.conf", "b {\n");
    assert_refused(LPM_ECONF, "main.conf",
                   "unexpected end of file, expecting \"}\" in inc.conf:2, \"b\" opens in inc.conf:1");
    put("inc.conf", "include main.conf;");
    assert_refused(LPM_ECONF, "main.conf", "\"main.conf\" includes itself in inc.conf:1");
    put("main.conf", "\ninclude ./main.c*;");
    assert_refused(LPM_ECONF, "main.conf", "\"./main.conf\" includes itself in main.conf:2");

    assert_int_equal(mkdir("dir", 0700), 0);
    assert_refused(LPM_ECONF, "dir", "\"dir\" is not a regular file");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    put("main.conf", "include fifo;");
    assert_refused(LPM_ECONF, "main.conf", "\"fifo\" is not a regular file in main.conf:1");
    assert_refused(LPM_EIO, "none.conf", "cannot open \"none.conf\": No such file or directory");

    put("main.conf", "");
    assert_int_equal(truncate("main.conf", (16 << 20) + 1), 0);
    assert_refused(LPM_ECONF, "main.conf", "\"main.conf\" is over 16 MiB");
}

static void faults_of_the_command_line(void **state)
{
    (void)state;
    struct error err;
    struct conf_tree *tree;
    put("main.conf", "a;");
    assert_int_equal(conf_parse(&tree, "main.conf", "daemon off", &err), LPM_ECONF);
    assert_string_equal(err.text, "directive \"daemon\" is not terminated by \";\" in -g:1");
}

static void bounds_includes(void **state)
{
    (void)state;
    char name[32], text[64];
    for (int i = 0; i <= 17; i++) {
        snprintf(name, sizeof(name), "%d.conf", i);
        snprintf(text, sizeof(text), "include %d.conf;", i + 1);
        put(name, i == 17 ? "a;" : text);
    }
    assert_refused(LPM_ECONF, "0.conf", "includes nest deeper than 16 in 16.conf:1");
    put("main.conf", "include 2.conf;");
    struct conf_tree *tree = read_files(NULL);
    assert_tree(tree, "a()");
    conf_tree_free(tree);
}

/* Each file twice in the one before it: small on disk, without end in memory. */
static void bounds_the_whole(void **state)
{
    (void)state;
    char name[32], text[64], *big = malloc(1 << 20);
    memset(big, '\n', 1 << 20);
    fixture_write("8.conf", big, 1 << 20);
    free(big);
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "%d.conf", i);
        snprintf(text, sizeof(text), "include %d.conf; include %d.conf;", i + 1, i + 1);
        put(name, text);
    }
    struct error err;
    struct conf_tree *tree;
    assert_int_equal(conf_parse(&tree, "0.conf", NULL, &err), LPM_ECONF);
    assert_string_equal(err.text, "the files are over 64 MiB with \"8.conf\" in 7.conf:1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_grammar),
        cmocka_unit_test(counts_lines),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_a_nul),
        cmocka_unit_test(bounds_words_and_blocks),
        cmocka_unit_test(reads_files),
        cmocka_unit_test(faults_in_files),
        cmocka_unit_test(faults_of_the_command_line),
        cmocka_unit_test(bounds_includes),
        cmocka_unit_test(bounds_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
