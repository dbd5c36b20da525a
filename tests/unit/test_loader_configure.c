/*
 * loader_configure() and the host's calls on the configuration, with modules that live in this program.
 */
#include "loader/loader.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf_parse.h"

/* What the process that loads the modules has. */
struct process {
    struct loader_owner owner;
    struct log log;
    lpm_host host;
    struct error err, said;
    struct conf_tree *tree;
    FILE *file;  /* behind the log */
    size_t hook; /* the module whose conf hook is called, or was last */
};

static int set_up(void **state)
{
    struct process *p = test_calloc(1, sizeof(*p));
    p->file = tmpfile();
    assert_non_null(p->file);
    log_init(&p->log, fileno(p->file), LPM_LOG_INFO, "trial");
    p->owner = (struct loader_owner){.log = &p->log, .conf_error = &p->said};
    loader_host_init(&p->host);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct process *p = *state;
    fclose(p->file);
    conf_tree_free(p->tree);
    test_free(p);
    return 0;
}

static void note_hook(void *arg, size_t i)
{
    struct process *p = arg;
    p->hook = i;
}

static int configure(struct process *p, const char *text, struct loader_module *modules, size_t count)
{
    struct loader loader = {.modules = modules, .count = count};
    assert_int_equal(conf_parse_text(&p->tree, "lpm.conf", text, strlen(text), &p->err), 0);
    return loader_configure(&loader, p->tree, &p->host, p, note_hook, p, &p->err);
}

static void request(lpm_request *req)
{
    (void)req;
}

static const lpm_directive a_rows[] = {
    {.name = "a", .context = "main", .type = LPM_CONF_BLOCK, .args_max = 1, .flags = LPM_CONF_MANY},
    {.name = "wait", .context = "a", .type = LPM_CONF_TIME},
    {.name = "to", .context = "a", .type = LPM_CONF_HANDLER},
    {.name = NULL},
};

/* Reads what the configuration of the test below says, by the public calls. */
static int a_reads(lpm_conf *root)
{
    const lpm_conf *a = lpm_conf_child(root, "a");

    assert_non_null(a);
    assert_int_equal(lpm_conf_arg_count(a), 1);
    assert_true(lpm_slice_is(lpm_conf_arg(a, 0), "one"));
    assert_int_equal(lpm_conf_arg(a, 1).len, 0);
    assert_string_equal(lpm_conf_arg(a, 1).data, "");
    assert_int_equal(lpm_conf_value(a, "wait", 7), 1500);
    assert_string_equal(lpm_conf_string(a, "to", "-"), "b");
    a = lpm_conf_next(a);
    assert_non_null(a);
    assert_int_equal(lpm_conf_value(a, "wait", 7), 7);
    assert_string_equal(lpm_conf_string(a, "to", "-"), "-");
    assert_null(lpm_conf_next(a));
    assert_null(lpm_conf_child(a, NULL));
    lpm_log(root, LPM_LOG_INFO, "%s", "read it");
    return 0;
}

static int b_reports(lpm_conf *root)
{
    const lpm_conf *a = lpm_conf_next(lpm_conf_child(root, "a"));
    lpm_conf_error(a, "first");
    return lpm_conf_error(a, "no \"%s\"\nhere", "two");
}

static int forgets_to_return(lpm_conf *root)
{
    lpm_conf_error(root, "a fault");
    return 0;
}

static int positive(lpm_conf *root)
{
    (void)root;
    return 1;
}

static const char text[] = "a one { wait 1500ms; to b; }\n"
                           "a two { }\n";

static void hooks_read_and_log(void **state)
{
    struct process *p = *state;
    struct loader_module modules[] = {
        {.module = {.name = "amod", .directives = a_rows, .conf = a_reads, .worker_init = NULL}},
        {.module = {.name = "b", .request = request}},
    };
    char line[256];

    assert_int_equal(configure(p, text, modules, 2), 0);
    rewind(p->file);
    assert_non_null(fgets(line, sizeof(line), p->file));
    assert_non_null(strstr(line, " trial: amod: read it\n"));
    assert_ptr_equal(p->tree->root->handle.owner, p);
    assert_ptr_equal(p->tree->root->first->first->handle.host, &p->host);
}

/* Before it is called, whose hook it is is known. */
static int refuses(lpm_conf *root)
{
    (void)root;
    return LPM_ECONF;
}

static void the_hook_is_shown(void **state)
{
    struct process *p = *state;
    struct loader_module modules[] = {
        {.module = {.name = "amod", .directives = a_rows, .conf = a_reads}},
        {.module = {.name = "b", .request = request}},
        {.module = {.name = "cmod", .request = request, .conf = refuses}},
        {.module = {.name = "d", .request = request, .conf = refuses}},
    };

    assert_int_equal(configure(p, text, modules, 4), LPM_ECONF);
    assert_int_equal(p->hook, 2);
}

static void faults(void **state)
{
    static const struct {
        const char *conf;
        int (*hook)(lpm_conf *root);
        const char *text;
    } rows[] = {
        {text, b_reports, "no \"two\"?here in lpm.conf:2"},
        {text, positive, "module \"amod\" refused the configuration: its conf hook returned 1"},
        {"a one { to nobody; }", NULL, "nobody"},
        {"a one { wait soon; }", NULL, "soon"},
        {"c;", NULL, "unknown directive \"c\""},
    };
    struct process *p = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loader_module modules[] = {
            {.module = {.name = "amod", .directives = a_rows, .conf = rows[i].hook}},
            {.module = {.name = "b", .request = request}},
        };
        assert_int_equal(configure(p, rows[i].conf, modules, 2), LPM_ECONF);
        if (rows[i].hook) {
            assert_string_equal(p->err.text, rows[i].text);
        } else {
            assert_non_null(strstr(p->err.text, rows[i].text)); /* the rest is conf_schema's */
        }
        assert_string_equal(p->said.text, "");
        conf_tree_free(p->tree);
        p->tree = NULL;
    }
}

/* A fault that was reported is one, whatever the hook returns. */
static void reported_fault_counts(void **state)
{
    struct process *p = *state;
    struct loader_module modules[] = {
        {.module = {.name = "amod", .directives = a_rows, .conf = forgets_to_return, .request = request}},
        {.module = {.name = "b", .request = request}},
    };
    assert_int_equal(configure(p, text, modules, 2), LPM_ECONF);
    assert_memory_equal(p->err.text, "a fault", 7);
}

static void one_directive_of_two_modules(void **state)
{
    struct process *p = *state;
    struct loader_module modules[] = {
        {.module = {.name = "amod", .directives = a_rows, .request = request}},
        {.module = {.name = "b", .directives = a_rows + 1, .request = request}},
    };
    assert_int_equal(configure(p, text, modules, 2), LPM_ECONF);
    assert_string_equal(
        p->err.text,
        "module \"b\" declares the directive \"wait\" in \"a\", which is that of module \"amod\" already");
}

/* Later, from an init hook: to the owner's text, or, where there is none, to the log. */
static void conf_error_after_configuration(void **state)
{
    struct process *p = *state;
    char line[256];

    assert_int_equal(configure(p, "pid run/x.pid;", NULL, 0), 0);
    assert_int_equal(lpm_conf_error(lpm_conf_child(p->tree->root, "pid"), "odd"), LPM_ECONF);
    assert_string_equal(p->said.text, "odd in lpm.conf:1");
    p->owner.conf_error = NULL;
    p->owner.module = "amod";
    assert_int_equal(lpm_conf_error(lpm_conf_child(p->tree->root, "pid"), "odd"), LPM_ECONF);
    rewind(p->file);
    assert_non_null(fgets(line, sizeof(line), p->file));
    assert_non_null(strstr(line, "[error]"));
    assert_non_null(strstr(line, " trial: amod: odd in lpm.conf:1\n"));
}

static void find_by_name(void **state)
{
    struct loader_module modules[] = {{.module = {.name = "a"}}, {.module = {.name = "b"}}};
    struct loader loader = {.modules = modules, .count = 2};
    (void)state;

    assert_ptr_equal(loader_find(&loader, "b"), &modules[1]);
    assert_null(loader_find(&loader, "c"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(hooks_read_and_log),
        TEST(the_hook_is_shown),
        TEST(faults),
        TEST(reported_fault_counts),
        TEST(one_directive_of_two_modules),
        TEST(conf_error_after_configuration),
        cmocka_unit_test(find_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
