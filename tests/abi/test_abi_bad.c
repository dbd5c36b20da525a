/*
 * Each module of tests/abi/bad is refused with its text: by loader_load() or, where it loads well, by
 * loader_configure(). Those that crash, end or block the process do so in a child. Those that only a running worker
 * or bus can refuse have to load.
 */
#include <fcntl.h>
#include <lpm/module.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/conf_parse.h"
#include "loader/loader.h"

#define AT        " in conf/lpm.conf:5"
#define SUPPORTED "this lpm supports 1.0 to 1.2"

struct bad {
    const char *name;
    const char *load;      /* what loader_load() says behind the module's path; NULL: it loads */
    const char *configure; /* all that loader_configure() says; NULL: nothing */
};

static const struct bad bads[] = {
    {"no_symbol",
     "no symbol \"lpm_module_v1\": not an lpm module, or one for another major version of the ABI (" SUPPORTED
     ")",
     NULL},
    {"magic", "its descriptor begins with 0xdeadbeef, expected 0x314d504c, which LPM_MODULE() writes", NULL},
    {"magic_major", "made for ABI 2, " SUPPORTED, NULL},
    {"major",
     "no symbol \"lpm_module_v1\", but \"lpm_module_v2\": made for another major version of the ABI "
     "(" SUPPORTED ")",
     NULL},
    {"major_old",
     "no symbol \"lpm_module_v1\", but \"lpm_module_v0\": made for another major version of the ABI "
     "(" SUPPORTED ")",
     NULL},
    {"newer", "needs ABI 1.7, " SUPPORTED, NULL},
    {"size", "its descriptor has 64 bytes, expected 112 for ABI 1.0", NULL},
    {"reserved", "the reserved word of its descriptor is 1, expected 0", NULL},
    {"no_name", "has no name", NULL},
    {"empty_name", "its name is \"\", expected 1 to 64 of a-z, 0-9, \"_\" and \"-\"", NULL},
    {"bad_name", "its name is \"Bad?Name\", expected 1 to 64 of a-z, 0-9, \"_\" and \"-\"", NULL},
    {"long_name",
     "its name is \"a234567890123456789012345678901234567890123456789012345678901234\" and more, expected 1 "
     "to 64 of "
     "a-z, 0-9, \"_\" and \"-\"",
     NULL},
    {"no_version", "has no version", NULL},
    {"no_hook", "has no hook, expected one of request, worker_init and supervisor_init", NULL},
    {"unresolved", "cannot be loaded: undefined symbol: unresolved_nowhere_to_be_found", NULL},
    {"table_name", "directive \"two words\" of \"table_name\": its name is not of [a-z0-9_-]{1,63}", NULL},
    {"table_context", "directive \"thing\" of \"table_context\": its context is not of [a-z0-9_-]{1,63}",
     NULL},
    {"table_type", "directive \"thing\" of \"table_type\": its type is unknown", NULL},
    {"table_default", "directive \"thing\" of \"table_default\": its default \"soon\" is not ", NULL},
    {"table_listen",
     "directive \"port\" of \"table_listen\": the name \"listen\" and the type LPM_CONF_LISTEN go together",
     NULL},
    {"table_enum", "directive \"thing\" of \"table_enum\": it has no words", NULL},
    {"table_twice", "directive \"thing\" of \"table_twice\": the table has it twice for one context", NULL},
    {"table_core", NULL,
     "module \"table_core\" declares the directive \"pid\" in \"main\", which is one of the core already"},
    {"conf_refuses", NULL, "it is always wrong to load \"modules/conf_refuses.so\"" AT},
    {"conf_silent", NULL, "module \"conf_silent\" refused the configuration: its conf hook returned -77"},
    {"worker_init_refuses", NULL, NULL},
    {"supervisor_init_refuses", NULL, NULL},
};

/* A server with the named modules, as the trial sees it. */
struct site {
    struct conf_tree *tree;
    struct conf_core core;
    struct loader loader;
    struct error err;
    char copies[256];
};

static void site_link(const char *name)
{
    char from[4096], to[256];
    snprintf(from, sizeof(from), "%s/tests/abi/%s.so", LPM_BUILD_DIR, name);
    snprintf(to, sizeof(to), "modules/%s.so", name);
    if (symlink(from, to) != 0) {
        assert_int_equal(access(to, F_OK), 0);
    }
}

/* Reads a configuration that loads `first` (line 5) and `second` (line 6, or NULL), and copies them. */
static void site_init(struct site *site, const char *first, const char *second)
{
    struct conf_table table = {.owner = "core", .rows = conf_core_directives};
    struct conf_schema schema = {.tables = &table, .table_count = 1, .partial = true};
    char text[512];

    mkdir("modules", 0755);
    memset(site, 0, sizeof(*site));
    snprintf(site->copies, sizeof(site->copies), "copies-%s-%s", first, second ? second : "alone");
    assert_int_equal(mkdir(site->copies, 0755), 0);
    snprintf(text, sizeof(text), "\n\n\n\nload_module modules/%s.so;\n", first);
    site_link(first);
    if (second) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "load_module modules/%s.so;\n", second);
        site_link(second);
    }
    assert_int_equal(conf_parse_text(&site->tree, "conf/lpm.conf", text, strlen(text), &site->err), 0);
    assert_int_equal(conf_schema_check(site->tree, &schema, &site->err), 0);
    assert_int_equal(conf_core_read(&site->core, site->tree, &site->err), 0);
    assert_int_equal(loader_copy(&site->core, NULL, site->copies, &site->err), 0);
}

static void site_fini(struct site *site)
{
    loader_remove(&site->core, site->copies);
    assert_int_equal(access(site->copies, F_OK), -1);
    loader_fini(&site->loader);
    conf_tree_free(site->tree);
}

static void check_load(struct site *site, const struct bad *bad)
{
    char want[1024];
    int rc = loader_load(&site->loader, &site->core, site->copies, NULL, NULL, &site->err);

    if (!bad->load) {
        assert_int_equal(rc, 0);
        return;
    }
    assert_int_equal(rc, LPM_EABI);
    assert_null(site->loader.modules);
    snprintf(want, sizeof(want), "module \"modules/%s.so\": %s", bad->name, bad->load);
    /* The end of what a value's check says is not this test's. */
    if (want[strlen(want) - 1] == ' ') {
        assert_memory_equal(site->err.text, want, strlen(want));
        return;
    }
    snprintf(want + strlen(want), sizeof(want) - strlen(want), "%s", AT);
    assert_string_equal(site->err.text, want);
}

static void each_is_refused(void **state)
{
    const struct bad *bad = *state;
    struct error said = {.text = ""};
    struct log log;
    struct loader_owner owner = {.log = &log, .conf_error = &said};
    lpm_host host;
    struct site site;

    log_init(&log, -1, LPM_LOG_ERROR, "test");
    loader_host_init(&host);
    site_init(&site, bad->name, NULL);
    check_load(&site, bad);
    if (!bad->load) {
        int rc = loader_configure(&site.loader, site.tree, &host, &owner, NULL, NULL, &site.err);
        assert_int_equal(rc, bad->configure ? LPM_ECONF : 0);
        if (bad->configure) {
            assert_string_equal(site.err.text, bad->configure);
        }
        assert_ptr_equal(site.tree->root->handle.owner, &owner);
        assert_ptr_equal(site.tree->root->handle.host, &host);
    }
    site_fini(&site);
}

static void two_of_one_name_are_refused(void **state)
{
    struct site site;
    (void)state;

    site_init(&site, "twin_a", "twin_b");
    assert_int_equal(loader_load(&site.loader, &site.core, site.copies, NULL, NULL, &site.err), LPM_EABI);
    assert_string_equal(site.err.text, "module \"modules/twin_b.so\": its name \"twin\" is that of module "
                                       "\"modules/twin_a.so\" too in conf/lpm.conf:6");
    site_fini(&site);
}

static void tell(void *arg, size_t i)
{
    char place = (char)('0' + i);
    assert_int_equal(write(*(int *)arg, &place, 1), 1);
}

/* Loads a good module and then `name`, in a child; writes what on_load and the end of loading told to `told`. */
static int load_in_child(const char *name, char *told, size_t size)
{
    struct site site;
    int pipe_fds[2], status;
    ssize_t n;
    pid_t child;

    site_init(&site, "twin_a", name);
    assert_int_equal(pipe(pipe_fds), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char end = 'E';
        loader_load(&site.loader, &site.core, site.copies, tell, &pipe_fds[1], &site.err);
        _exit(write(pipe_fds[1], &end, 1) == 1 ? 7 : 8);
    }
    close(pipe_fds[1]);
    if (strcmp(name, "ctor_hang") == 0) {
        /* It is in the constructor, or about to be, once both places were told. */
        for (n = 0; n < 2; n++) {
            assert_int_equal(read(pipe_fds[0], told + n, 1), 1);
        }
        kill(child, SIGKILL);
    } else {
        n = 0;
    }
    while (n < (ssize_t)size - 1) {
        ssize_t more = read(pipe_fds[0], told + n, size - 1 - (size_t)n);
        if (more <= 0) {
            break;
        }
        n += more;
    }
    told[n] = '\0';
    close(pipe_fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    site_fini(&site);
    return status;
}

/* The caller of loader_load() knows whose constructor it was, and that loading has not ended. */
static void death_in_constructor_can_be_blamed(void **state)
{
    char told[16];
    int status;
    (void)state;

    status = load_in_child("ctor_crash", told, sizeof(told));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_string_equal(told, "01");

    status = load_in_child("ctor_exit", told, sizeof(told));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(told, "01");

    status = load_in_child("ctor_hang", told, sizeof(told));
    assert_true(WIFSIGNALED(status));
    assert_string_equal(told, "01");
}

int main(void)
{
    enum { COUNT = sizeof(bads) / sizeof(bads[0]) };
    struct CMUnitTest tests[COUNT + 2] = {
        cmocka_unit_test(two_of_one_name_are_refused),
        cmocka_unit_test(death_in_constructor_can_be_blamed),
    };

    for (size_t i = 0; i < COUNT; i++) {
        tests[i + 2] = (struct CMUnitTest){
            .name = bads[i].name, .test_func = each_is_refused, .initial_state = (void *)(uintptr_t)&bads[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
