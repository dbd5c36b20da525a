/* The core's values: defaults, what stands, pools, and what the table cannot say. */
#include "conf_fixture.h"

#include "conf/conf_cpu.h"

static int read_core(const char *text, struct conf_core *core, struct error *err)
{
    static const struct conf_table table = {"core", conf_core_directives};
    const struct conf_schema schema = {.tables = &table, .table_count = 1, .partial = true};
    struct conf_tree *tree = fixture_parse(text);
    int rc = conf_schema_check(tree, &schema, err);
    if (rc == LPM_OK) {
        rc = conf_core_read(core, tree, err);
    }
    if (rc != LPM_OK) {
        conf_tree_free(tree);
    }
    return rc;
}

static void read_well(const char *text, struct conf_core *core)
{
    struct error err = {.text = ""};
    if (read_core(text, core, &err) != LPM_OK) {
        fail_msg("%s", err.text);
    }
}

static void has_the_seeds_defaults(void **state)
{
    (void)state;
    struct conf_core core;
    read_well("", &core);
    assert_null(core.user);
    assert_string_equal(core.pid, "run/lpm.pid");
    assert_string_equal(core.error_log, "stderr");
    assert_int_equal(core.error_log_level, LPM_LOG_NOTICE);
    assert_string_equal(core.control, "run/lpm.sock");
    assert_false(core.daemon);
    assert_int_equal(core.spin, 0);
    assert_int_equal(core.module_count, 0);
    assert_int_equal(core.timeout, LPM_NONE);
    assert_int_equal(core.retries, 0);
    assert_int_equal(core.poison_after, 2);
    assert_int_equal(core.pool_count, 1);

    const struct conf_pool *pool = &core.pools[0];
    assert_string_equal(pool->name, "default");
    assert_null(pool->node);
    assert_null(pool->handlers);
    assert_int_equal(pool->handler_count, 0);
    assert_int_equal(pool->count, 1);
    assert_int_equal(pool->restarts, 5);
    assert_int_equal(pool->max_restarts_in_interval, 120000);
    assert_int_equal(pool->concurrency, 1024);
    assert_int_equal(pool->rss_limit, LPM_NONE);
    assert_int_equal(pool->max_requests, LPM_NONE);
    assert_int_equal(pool->max_age, LPM_NONE);
    assert_int_equal(pool->ready_timeout, 10000);
    assert_int_equal(pool->drain_timeout, 30000);
    assert_int_equal(pool->kill_after, 5000);
    assert_int_equal(pool->queue_limit, 65536);
    assert_int_equal(pool->queue_bytes, 256 << 20);
    assert_int_equal(pool->queue_timeout, LPM_NONE);
    assert_int_equal(pool->dispatch, CONF_LEAST_PRESSURE);
    conf_tree_free(core.tree);
}

static void reads_everything(void **state)
{
    (void)state;
    struct conf_core core;
    read_well(fixture_good, &core);
    assert_string_equal(core.user, "lpm");
    assert_string_equal(core.error_log, "logs/error.log");
    assert_int_equal(core.error_log_level, LPM_LOG_INFO);
    assert_int_equal(core.module_count, 2);
    assert_string_equal(core.modules[1].path, "modules/lpm_echo.so");
    assert_int_equal(core.modules[1].node->line, 8);
    assert_int_equal(core.timeout, 30000);
    assert_int_equal(core.retries, 1);
    assert_int_equal(core.poison_after, 3);
    assert_int_equal(core.pool_count, 2);

    const struct conf_pool *pool = &core.pools[0], *images = &core.pools[1];
    assert_int_equal(pool->count, conf_cpu_count());
    assert_int_equal(pool->restarts, LPM_NONE);
    assert_int_equal(pool->max_restarts_in_interval, 120000);
    assert_int_equal(pool->concurrency, 16);
    assert_int_equal(pool->rss_limit, 512 << 20);
    assert_int_equal(pool->ready_timeout, 500);
    assert_int_equal(pool->drain_timeout, 3600000);
    assert_int_equal(pool->kill_after, 7000);
    assert_string_equal(images->name, "images");
    assert_int_equal(images->count, 4);
    assert_int_equal(images->rss_limit, 1 << 30);
    assert_int_equal(images->restarts, 5);
    assert_int_equal(images->handler_count, 1);
    assert_string_equal(images->handlers[0], "echo");
    for (size_t i = 0; i < core.pool_count; i++) {
        assert_int_equal(core.pools[i].queue_limit, 100);
        assert_int_equal(core.pools[i].queue_bytes, 1 << 20);
        assert_int_equal(core.pools[i].queue_timeout, 5000);
    }
    conf_tree_free(core.tree);
}

static void reads_ranges(void **state)
{
    (void)state;
    struct conf_core core;
    read_well("worker { count 2..8; idle_timeout 1m; } worker a { handler x; count 3; }", &core);
    assert_int_equal(core.pools[0].count, 2);
    assert_int_equal(core.pools[0].count_min, 2);
    assert_int_equal(core.pools[0].count_max, 8);
    assert_int_equal(core.pools[0].idle_timeout, 60000);
    assert_true(conf_core_is_scaled(&core.pools[0]));
    assert_int_equal(core.pools[1].count, 3);
    assert_int_equal(core.pools[1].idle_timeout, 30000);
    assert_false(conf_core_is_scaled(&core.pools[1]));
    conf_tree_free(core.tree);
}

static void reads_one_word_of_error_log(void **state)
{
    (void)state;
    struct conf_core core;
    read_well("error_log logs/e; daemon on; spin 1000us;", &core);
    assert_int_equal(core.spin, 1000);
    assert_string_equal(core.error_log, "logs/e");
    assert_int_equal(core.error_log_level, LPM_LOG_NOTICE);
    assert_true(core.daemon);
    conf_tree_free(core.tree);
}

static void finds_pools(void **state)
{
    (void)state;
    struct conf_core core;
    read_well("worker a { handler x; handler y; } worker default { count 3; } worker b { handler z; }",
              &core);
    assert_int_equal(core.pool_count, 3);
    assert_string_equal(core.pools[0].name, "default");
    assert_int_equal(core.pools[0].count, 3);
    assert_string_equal(core.pools[2].name, "b");
    assert_int_equal(conf_core_pool_of(&core, "x"), 1);
    assert_int_equal(conf_core_pool_of(&core, "y"), 1);
    assert_int_equal(conf_core_pool_of(&core, "z"), 2);
    assert_int_equal(conf_core_pool_of(&core, "other"), 0);
    conf_tree_free(core.tree);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"user '';", "\"user\" expects a word that is not empty in a.conf:1"},
        {"control '';", "\"control\" expects a word that is not empty in a.conf:1"},
        {"error_log '';", "\"error_log\" expects a file or stderr, found \"\" in a.conf:1"},
        {"error_log stderr loud;",
         "\"error_log\" expects debug, info, notice, warn, error, crit or alert, found "
         "\"loud\" in a.conf:1"},
        {"spin 0us;", "\"spin\" expects a time from 1us to 1000us or off, found \"0us\" in a.conf:1"},
        {"spin 1001us;", "\"spin\" expects a time from 1us to 1000us or off, found \"1001us\" in a.conf:1"},
        {"spin 4294967297us;",
         "\"spin\" expects a time from 1us to 1000us or off, found \"4294967297us\" in a.conf:1"},
        {"spin 50;", "\"spin\" expects a time from 1us to 1000us or off, found \"50\" in a.conf:1"},
        {"spin us;", "\"spin\" expects a time from 1us to 1000us or off, found \"us\" in a.conf:1"},
        {"spin '';", "\"spin\" expects a time from 1us to 1000us or off, found \"\" in a.conf:1"},
        {"load_module '';", "\"load_module\" expects a file, found \"\" in a.conf:1"},
        {"load_module a;\nload_module b;\nload_module a;",
         "module \"a\" is a duplicate in a.conf:3, the first is in a.conf:1"},
        {"worker { }\nworker { }", "pool \"default\" is a duplicate in a.conf:2, the first is in a.conf:1"},
        {"worker default { }\nworker { }",
         "pool \"default\" is a duplicate in a.conf:2, the first is in a.conf:1"},
        {"worker a { handler x; }\nworker a { handler y; }",
         "pool \"a\" is a duplicate in a.conf:2, the first is in a.conf:1"},
        {"worker A { }", "\"worker\" expects a name of [a-z0-9_-]{1,64}, found \"A\" in a.conf:1"},
        {"worker '' { }", "\"worker\" expects a name of [a-z0-9_-]{1,64}, found \"\" in a.conf:1"},
        {"worker a { }", "pool \"a\" needs a \"handler\" in a.conf:1"},
        {"worker {\nhandler x; }", "\"handler\" needs a \"worker\" with a name in a.conf:2, the one without "
                                   "runs every module that no other names"},
        {"worker a { handler x; }\nworker b { handler y;\nhandler x; }",
         "handler \"x\" is a duplicate in a.conf:3, the first is in a.conf:1"},
        {"worker a { handler x;\nhandler x; }",
         "handler \"x\" is a duplicate in a.conf:2, the first is in a.conf:1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf_core core;
        struct error err = {.text = ""};
        assert_int_equal(read_core(cases[i].text, &core, &err), LPM_ECONF);
        assert_string_equal(err.text, cases[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_seeds_defaults),
        cmocka_unit_test(reads_everything),
        cmocka_unit_test(reads_ranges),
        cmocka_unit_test(reads_one_word_of_error_log),
        cmocka_unit_test(finds_pools),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
