/* Trees against tables, and tables themselves. */
#include "conf_fixture.h"

static void assert_check(const char *text, const char *error)
{
    struct error err = {.text = ""};
    struct conf_tree *tree = fixture_parse(text);
    assert_int_equal(fixture_check(tree, true, &err), *error ? LPM_ECONF : LPM_OK);
    assert_string_equal(err.text, error);
    conf_tree_free(tree);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", ""},
        {fixture_good, ""},
        {"wokers { }", "unknown directive \"wokers\" in a.conf:1, did you mean \"worker\"?"},
        {"smtp { }", "unknown directive \"smtp\" in a.conf:1, is a load_module missing?"},
        {"request { smtp on; }", "unknown directive \"smtp\" in a.conf:1"},
        {"\"\";", "unknown directive \"\" in a.conf:1, is a load_module missing?"},
        {"main { }", "unknown directive \"main\" in a.conf:1, is a load_module missing?"},
        {"http { listen 80; lsten 81; }",
         "unknown directive \"lsten\" in a.conf:1, did you mean \"listen\"?"},
        {"worker { listen 80; }",
         "\"listen\" does not belong in \"worker\" in a.conf:1, it belongs in \"http\""},
        {"timeout 5s;",
         "\"timeout\" does not belong at the top in a.conf:1, it belongs in \"request\" or in \"location\""},
        {"http { listen 80; http { } }",
         "\"http\" does not belong in \"http\" in a.conf:1, it belongs at the top"},
        {"worker;", "directive \"worker\" needs \"{\" in a.conf:1"},
        {"pid a { }", "directive \"pid\" takes no \"{\" in a.conf:1"},
        {"pid;", "\"pid\" takes one argument, found none in a.conf:1"},
        {"worker a b { }", "\"worker\" takes at most one argument, found 2 in a.conf:1"},
        {"request a { }", "\"request\" takes no argument, found 1 in a.conf:1"},
        {"http { listen; }", "\"listen\" takes at least one argument, found none in a.conf:1"},
        {"http { listen 80 backlog=5 fast proxy; access_log off; }", ""},
        {"http { listen 80 fas; }",
         "\"listen\" has \"fas\": expected backlog=NUMBER or fast|proxy in a.conf:1"},
        {"worker { count 1\n restarts 2; }",
         "\"count\" takes one argument, found 3 in a.conf:1, is a \";\" missing before \"restarts\"?"},
        {"pid a;\npid b;", "\"pid\" is a duplicate in a.conf:2, the first is in a.conf:1"},
        {"load_module a; load_module b;", ""},
        {"worker a { count 1; }\nworker b { count 1; }", ""},
        {"http { }", "\"http\" needs a \"listen\" in a.conf:1"},
        {"http { listen 80; location / { } }", "\"location\" needs a \"handler\" in a.conf:1"},
        {"worker { handler ecko; }",
         "\"handler\" expects the name of a loaded module that answers requests, found \"ecko\" in a.conf:1, "
         "did you mean \"echo\"?"},
        {"worker { handler resize; }", "\"handler\" expects the name of a loaded module that answers "
                                       "requests, found \"resize\" in a.conf:1"},
        {"http { listen 80; location / { handler echo; retries 1001; } }",
         "\"retries\" expects a number from 0 to 1000, found \"1001\" in a.conf:1"},
        {"worker { retries 1; }", "\"retries\" does not belong in \"worker\" in a.conf:1, it belongs in "
                                  "\"request\" or in \"location\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_check(cases[i].text, cases[i].error);
    }
}

static void writes_values(void **state)
{
    (void)state;
    struct error err = {.text = ""};
    struct conf_tree *tree = fixture_parse(fixture_good);
    assert_int_equal(fixture_check(tree, true, &err), LPM_OK);

    const struct lpm_conf *request = conf_tree_child(tree->root, "request");
    const struct lpm_conf *worker = conf_tree_child(tree->root, "worker");
    const struct lpm_conf *location = conf_tree_child(conf_tree_child(tree->root, "http"), "location");
    assert_int_equal(conf_tree_child(request, "timeout")->value, 30000);
    assert_int_equal(conf_tree_child(request, "queue_bytes")->value, 1 << 20);
    assert_int_equal(conf_tree_child(worker, "concurrency")->value, 16);
    assert_int_equal(conf_tree_child(worker, "restarts")->value, LPM_NONE);
    assert_int_equal(conf_tree_child(location, "timeout")->value, LPM_NONE);
    assert_int_equal(conf_tree_child(location, "retries")->value, 2);
    conf_tree_free(tree);
}

/* The master knows the core's table only, and lets pass what it does not know. */
static void passes_the_unknown_in_partial_mode(void **state)
{
    (void)state;
    static const struct conf_table table = {"core", conf_core_directives};
    const struct conf_schema schema = {.tables = &table, .table_count = 1, .partial = true};
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        {fixture_good, LPM_OK},
        {"wokers { count none; }", LPM_OK},
        {"http { worker { count none; } }", LPM_OK},
        {"count none;", LPM_OK},
        {"worker { handler nobody; }", LPM_OK},
        {"worker { concurrency none; }", LPM_ECONF},
        {"worker { count 1; count 1; }", LPM_ECONF},
        {"worker;", LPM_ECONF},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err;
        struct conf_tree *tree = fixture_parse(cases[i].text);
        assert_int_equal(conf_schema_check(tree, &schema, &err), cases[i].rc);
        conf_tree_free(tree);
    }
}

static void refuses_one_directive_of_two_tables(void **state)
{
    (void)state;
    static const lpm_directive mine[] = {{.name = "http", .context = "main", .type = LPM_CONF_BLOCK},
                                         {.name = NULL}};
    const struct conf_table tables[] = {{"http", fixture_http}, {"empty", NULL}, {"mine", mine}};
    struct conf_schema schema = {.tables = tables, .table_count = 3};
    struct error err = {.text = ""};
    struct conf_tree *tree = fixture_parse("");

    assert_int_equal(conf_schema_check(tree, &schema, &err), LPM_ECONF);
    assert_string_equal(err.text, "directive \"http\" in \"main\" is declared by both \"http\" and \"mine\"");
    schema.table_count = 2;
    assert_int_equal(conf_schema_check(tree, &schema, &err), LPM_OK);
    conf_tree_free(tree);
}

static void requires_at_the_top(void **state)
{
    (void)state;
    static const lpm_directive rows[] = {
        {.name = "key", .context = "main", .type = LPM_CONF_STRING, .flags = LPM_CONF_MUST}, {.name = NULL}};
    const struct conf_table table = {"mine", rows};
    const struct conf_schema schema = {.tables = &table, .table_count = 1};
    struct error err = {.text = ""};
    struct conf_tree *tree = fixture_parse("");

    assert_int_equal(conf_schema_check(tree, &schema, &err), LPM_ECONF);
    assert_string_equal(err.text, "a \"key\" is missing in a.conf");
    conf_tree_free(tree);
}

#define ROW(n, c, text, ...)                         \
    {                                                \
        {.name = n, .context = c, __VA_ARGS__}, text \
    }
#define BAD(text, ...)           ROW("a", "main", text, __VA_ARGS__)
#define NAMED(n, c, text, type_) ROW(n, c, text, .type = type_)

static void verifies_tables(void **state)
{
    (void)state;
    static const struct {
        lpm_directive row;
        const char *why; /* NULL: a good row */
    } cases[] = {
        BAD(NULL, .type = LPM_CONF_FLAG, .value = "off"),
        BAD(NULL, .type = LPM_CONF_STRINGS, .args_max = 2, .value = ""),
        BAD(NULL, .type = LPM_CONF_STRINGS, .args_min = 1, .args_max = 2, .value = "b c"),
        BAD(NULL, .type = LPM_CONF_BLOCK, .flags = LPM_CONF_MUST),
        BAD(NULL, .type = LPM_CONF_ENUM, .words = "b|c", .value = "c"),
        BAD(NULL, .type = LPM_CONF_NUMBER, .min = -3, .max = -1, .value = "-2"),
        BAD(NULL, .type = LPM_CONF_TIME, .flags = LPM_CONF_MINUS_ONE, .value = "-1"),
        NAMED("A", "main", "its name is not of [a-z0-9_-]{1,63}", LPM_CONF_FLAG),
        NAMED("", "main", "its name is not of [a-z0-9_-]{1,63}", LPM_CONF_FLAG),
        NAMED("include", "main", "its name is reserved", LPM_CONF_STRING),
        NAMED("main", "main", "its name is reserved", LPM_CONF_BLOCK),
        NAMED("a", NULL, "its context is not of [a-z0-9_-]{1,63}", LPM_CONF_FLAG),
        NAMED("a", "a b", "its context is not of [a-z0-9_-]{1,63}", LPM_CONF_FLAG),
        BAD("its type is unknown", .type = LPM_CONF_BLOCK + 1),
        BAD("the name \"listen\" and the type LPM_CONF_LISTEN go together", .type = LPM_CONF_LISTEN),
        NAMED("listen", "a", "the name \"listen\" and the type LPM_CONF_LISTEN go together", LPM_CONF_STRING),
        BAD("the name \"access_log\" and the type LPM_CONF_LOG go together", .type = LPM_CONF_LOG),
        NAMED("access_log", "a", "the name \"access_log\" and the type LPM_CONF_LOG go together",
              LPM_CONF_FLAG),
        BAD("it has unknown flags", .flags = 16),
        BAD("-1 and auto are for numbers, sizes and times", .flags = LPM_CONF_AUTO),
        BAD("what has to stand has no default", .flags = LPM_CONF_MUST, .value = "on"),
        BAD("bounds are for numbers, sizes and times", .max = 5),
        BAD("its min is over its max", .type = LPM_CONF_NUMBER, .min = 5, .max = 4),
        BAD("its min is below 0", .type = LPM_CONF_TIME, .min = -5, .max = 4),
        BAD("args_min and args_max are for strings and blocks", .args_max = 1),
        BAD("its args_min is over its args_max", .type = LPM_CONF_BLOCK, .args_min = 1),
        BAD("its args_max is over 1024", .type = LPM_CONF_BLOCK, .args_max = 1025),
        BAD("its args_max is 0", .type = LPM_CONF_STRINGS),
        ROW("listen", "a", NULL, .type = LPM_CONF_LISTEN, .words = "b|c"),
        BAD("words are for an enum and for listen", .words = "b|c"),
        BAD("it has no words", .type = LPM_CONF_ENUM),
        BAD("one of its words is not of [a-z0-9_-]{1,63}", .type = LPM_CONF_ENUM, .words = "b||c"),
        BAD("two of its words are the same, or one is too long", .type = LPM_CONF_ENUM, .words = "b|c|b"),
        BAD("its default \"yes\" is not on or off", .value = "yes"),
        BAD("its default \"0\" is not a number from 1 to 5", .type = LPM_CONF_NUMBER, .min = 1, .max = 5,
            .value = "0"),
        BAD("its default \"b c\" has 2 words", .type = LPM_CONF_STRING, .value = "b c"),
        BAD("its default \"\" has 0 words", .type = LPM_CONF_STRINGS, .args_min = 1, .args_max = 1,
            .value = ""),
        BAD("a block has no default", .type = LPM_CONF_BLOCK, .value = "b"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const lpm_directive rows[] = {cases[i].row, {.name = NULL}};
        const struct conf_table table = {"mine", rows};
        struct error err = {.text = ""};
        char expected[256] = "";
        int rc = conf_schema_verify(&table, &err);
        if (cases[i].why) {
            snprintf(expected, sizeof(expected), "directive \"%s\" of \"mine\": %s", rows[0].name,
                     cases[i].why);
        }
        assert_string_equal(err.text, expected);
        assert_int_equal(rc, cases[i].why ? LPM_EABI : LPM_OK);
    }
}

static void verifies_whole_tables(void **state)
{
    (void)state;
    static const lpm_directive twice[] = {{.name = "a", .context = "main"},
                                          {.name = "a", .context = "b"},
                                          {.name = "a", .context = "main"},
                                          {.name = NULL}};
    const struct conf_table core = {"core", conf_core_directives}, http = {"http", fixture_http},
                            none = {"none", NULL};
    const struct conf_table bad = {"bad", twice};
    struct error err = {.text = ""};

    assert_int_equal(conf_schema_verify(&core, &err), LPM_OK);
    assert_int_equal(conf_schema_verify(&http, &err), LPM_OK);
    assert_int_equal(conf_schema_verify(&none, &err), LPM_OK);
    assert_string_equal(err.text, "");
    assert_int_equal(conf_schema_verify(&bad, &err), LPM_EABI);
    assert_string_equal(err.text, "directive \"a\" of \"bad\": the table has it twice for one context");
}

static void writes_syntax(void **state)
{
    (void)state;
    static const struct {
        lpm_directive row;
        const char *syntax;
    } cases[] = {
        {{.type = LPM_CONF_FLAG}, "on | off"},
        {{.type = LPM_CONF_NUMBER, .flags = LPM_CONF_AUTO}, "number | auto"},
        {{.type = LPM_CONF_SIZE}, "size"},
        {{.type = LPM_CONF_TIME, .flags = LPM_CONF_MINUS_ONE}, "time | -1"},
        {{.type = LPM_CONF_STRING, .syntax = "file"}, "file"},
        {{.type = LPM_CONF_STRING}, "string"},
        {{.type = LPM_CONF_STRINGS}, "string ..."},
        {{.type = LPM_CONF_ENUM, .words = "a|b|c"}, "a | b | c"},
        {{.type = LPM_CONF_HANDLER}, "name"},
        {{.type = LPM_CONF_LISTEN}, "address"},
        {{.type = LPM_CONF_LOG}, "file | off"},
        {{.type = LPM_CONF_BLOCK}, "{ ... }"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char room[64];
        assert_string_equal(conf_schema_syntax(&cases[i].row, room, sizeof(room)), cases[i].syntax);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(writes_values),
        cmocka_unit_test(passes_the_unknown_in_partial_mode),
        cmocka_unit_test(refuses_one_directive_of_two_tables),
        cmocka_unit_test(requires_at_the_top),
        cmocka_unit_test(verifies_tables),
        cmocka_unit_test(verifies_whole_tables),
        cmocka_unit_test(writes_syntax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
