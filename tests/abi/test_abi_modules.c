/*
 * The modules that lpm and its tests bring load as built, and those for tests do in the fake worker what their
 * heads say, as far as the process survives it.
 */
#include <lpm/test.h>

#include <event2/event.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/loader.h"

static struct conf_module files[] = {
    {.path = LPM_BUILD_DIR "/modules/lpm_hello.so"},
    {.path = LPM_BUILD_DIR "/modules/lpm_echo.so"},
    {.path = LPM_BUILD_DIR "/tests/modules/misdeed.so"},
    {.path = LPM_BUILD_DIR "/tests/modules/killhooks.so"},
};
#define FILE_COUNT (sizeof(files) / sizeof(files[0]))

static int set_up(void **state)
{
    struct conf_core core = {.modules = files, .module_count = FILE_COUNT};
    struct loader *loader = calloc(1, sizeof(*loader));
    struct error err = {.text = ""};

    mkdir("copies", 0755);
    if (loader_copy(&core, NULL, "copies", &err) || loader_load(loader, &core, "copies", NULL, NULL, &err)) {
        print_error("%s\n", err.text);
        return -1;
    }
    loader_remove(&core, "copies");
    *state = loader;
    return 0;
}

static int tear_down(void **state)
{
    loader_fini(*state);
    free(*state);
    return 0;
}

static void begin(lpm_test *t, void **state, const char *name)
{
    const struct loader_module *module = loader_find(*state, name);
    assert_non_null(module);
    lpm_test_init(t, &module->module);
    t->event_base = event_base_new();
    assert_non_null(t->event_base);
}

static void end(lpm_test *t)
{
    event_base_free(t->event_base);
    lpm_test_fini(t);
}

static void assert_data(lpm_request *req, const char *text)
{
    assert_true(lpm_test_answered(req));
    assert_string_equal(lpm_test_response_data(req).data, text);
}

/* What the file holds, which is then removed. */
static void assert_file(const char *path, const char *text)
{
    char found[1024] = "";
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    found[fread(found, 1, sizeof(found) - 1, f)] = '\0';
    fclose(f);
    unlink(path);
    assert_string_equal(found, text);
}

static void hello_says_hello(void **state)
{
    lpm_test t;
    lpm_request *req;

    begin(&t, state, "hello");
    req = lpm_test_request(&t, "", 0);
    lpm_test_run(&t, req);
    assert_data(req, "hello\n");
    assert_string_equal(lpm_test_response_header(req, "content-type").data, "text/plain; charset=utf-8");
    end(&t);
}

static lpm_request *order(lpm_test *t, const char *path, const char *data)
{
    lpm_request *req = lpm_test_request(t, data, strlen(data));
    lpm_test_request_header(req, ":method", "GET");
    lpm_test_request_header(req, ":path", path);
    lpm_test_run(t, req);
    return req;
}

static void misdeed_follows_orders(void **state)
{
    static const struct {
        const char *path, *data;
        int status;
        const char *answer; /* NULL: none */
    } rows[] = {
        {"/", "", 200, "ok\n"},
        {"/x?", "", 200, "ok\n"},
        {"/id", "", 200, "00000000-0000-4000-8000-000000000003\n"},
        {"/count", "", 200, "4\n"},
        {"/", "sleep 1", 200, "slept\n"},
        {"/?sleep=1", "key", 200, "slept\n"},
        {"/leak/100000", "", 200, "leaked\n"},
        {"/", "big 3", 200, "xxx"},
        {"/?status=404", "", 404, "404\n"},
        {"/?status=42", "", 200, "-2\n"},
        {"/?status=199", "", 200, "-2\n"},
        {"/headers", "", 200, ":method: GET\n:path: /headers\n"},
        {"/", "respond-twice", 200, "first\n"},
        {"/last", "", 200, "-4\n"},
        {"/", "after-free", 200, "free\n"},
        {"/last", "", 200, "-4\n"},
        {"/busy", "", 200, "busy\n"},
        {"/ready", "", 200, "ready\n"},
        {"/never", "", 200, NULL},
        {"/nonsense", "", 400, "no such order\n"},
    };
    lpm_test t;

    begin(&t, state, "misdeed");
    assert_int_equal(lpm_test_start(&t), 0);
    assert_true(t.ready);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lpm_request *req = order(&t, rows[i].path, rows[i].data);
        if (!rows[i].answer) {
            assert_false(lpm_test_answered(req));
            continue;
        }
        assert_data(req, rows[i].answer);
        assert_int_equal(lpm_test_response_status(req), rows[i].status);
        assert_int_equal(t.ready, strcmp(rows[i].path, "/busy") != 0);
    }
    end(&t);
}

static void misdeed_answers_later_and_keeps_a_journal(void **state)
{
    lpm_test t;
    lpm_request *waits, *polls;
    char want[512];
    long pid = (long)getpid();

    begin(&t, state, "misdeed");
    lpm_test_conf(&t, NULL, "misdeed_journal", "journal", (char *)NULL);
    lpm_test_conf(&t, NULL, "misdeed_init", "late", "1", (char *)NULL);
    assert_int_equal(lpm_test_configure(&t), 0);
    assert_int_equal(lpm_test_start(&t), 0);
    assert_false(t.ready);
    waits = order(&t, "/", "wait 1");
    polls = order(&t, "/cancel-poll", "");
    assert_false(lpm_test_answered(waits));
    lpm_test_request_cancel(polls);
    event_base_dispatch(t.event_base);
    assert_true(t.ready);
    assert_data(waits, "waited\n");
    assert_int_equal(lpm_test_outcome(polls), LPM_ECANCELED);
    snprintf(want, sizeof(want),
             "start 00000000-0000-4000-8000-000000000001 GET %ld wait 1\n"
             "start 00000000-0000-4000-8000-000000000002 GET %ld cancel-poll\n"
             "cancelled 00000000-0000-4000-8000-000000000002\n",
             pid, pid);
    assert_file("journal", want);
    end(&t);
}

static void misdeed_init_as_told(void **state)
{
    static const struct {
        const char *word;
        int conf, start;
    } rows[] = {{"fail", 0, LPM_EIO}, {"never_ready", 0, 0}, {"dance", LPM_ECONF, LPM_EINVAL}};
    lpm_test t;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(&t, state, "misdeed");
        lpm_test_conf(&t, NULL, "misdeed_init", rows[i].word, (char *)NULL);
        assert_int_equal(lpm_test_configure(&t), rows[i].conf);
        assert_int_equal(lpm_test_start(&t), rows[i].start);
        assert_false(t.ready);
        end(&t);
    }
}

static void killhooks_tell(void **state)
{
    lpm_test t;
    lpm_request *req;
    char want[256];
    long pid = (long)getpid();

    begin(&t, state, "killhooks");
    lpm_test_conf(&t, NULL, "killhooks_journal", "journal", (char *)NULL);
    lpm_test_conf(&t, NULL, "killhooks_delay", "1ms", (char *)NULL);
    lpm_test_conf(&t, NULL, "killhooks_answer", "1ms", (char *)NULL);
    assert_int_equal(lpm_test_start(&t), 0);
    req = lpm_test_request(&t, "", 0);
    lpm_test_run(&t, req);
    lpm_test_soft_kill(&t);
    assert_false(t.soft_kill_done);
    event_base_dispatch(t.event_base);
    assert_true(t.soft_kill_done);
    assert_data(req, "ok\n");
    lpm_test_hard_kill(&t);
    snprintf(want, sizeof(want), "soft_kill test/0 %ld 1\ndone test/0 %ld 0\nhard_kill test/0 %ld 0\n", pid,
             pid, pid);
    assert_file("journal", want);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_says_hello),     cmocka_unit_test(misdeed_follows_orders),
        cmocka_unit_test(misdeed_init_as_told), cmocka_unit_test(misdeed_answers_later_and_keeps_a_journal),
        cmocka_unit_test(killhooks_tell),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
