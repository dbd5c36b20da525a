/*
 * What a crash, a hang and a slow handler leave in the log, and that nobody is harmed by telling it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "ctl.h"
#include "loader/loader_build_id.h"
#include "lpm_auto_config.h"
#include "server.h"

#define CRASHER "load_module tmodules/crasher.so;\n"
#define LOG_MS  20000

static void start(struct server *s, const char *worker)
{
    server_conf(s,
                SERVER_MODULES CRASHER "worker { count 2; restarts 1000; kill_after 300ms; %s }\n"
                                       "http {\n"
                                       "    listen 127.0.0.1:0;\n"
                                       "    location /hello { handler hello; }\n"
                                       "    location /crash { handler crasher; }\n"
                                       "    location /brief { handler crasher; timeout 300ms; }\n"
                                       "}\n",
                worker);
    server_start(s, NULL);
}

/* Where lpm can tell names. */
static void wait_for_name(struct server *s, const char *function)
{
    char text[64];

    snprintf(text, sizeof(text), "%s crasher_%s+0x", LPM_HAVE_LIBDW ? "" : " in crasher.so+0x", function);
    server_wait_log(s, LPM_HAVE_LIBDW ? text + 1 : " in crasher.so+0x", LOG_MS);
}

static void wait_for_module(struct server *s)
{
    char id[LOADER_BUILD_ID_SIZE], text[256];

    loader_build_id(LPM_BUILD_DIR "/tests/modules/crasher.so", id);
    assert_true(strlen(id) >= 16);
    snprintf(text, sizeof(text), "in module \"crasher\", tmodules/crasher.so, build-id %s", id);
    server_wait_log(s, text, LOG_MS);
}

/* -- Crashes ------------------------------------------------------------------------------------------- */

static void test_each_crash(void **state)
{
    static const struct {
        const char *order, *what, *function;
    } cases[] = {
        {"segv", "crashed: SIGSEGV at address 0x10, where nothing is mapped, in the request hook of", "segv"},
        {"bus", "crashed: SIGBUS at address 0x", "bus"},
        {"fpe", "crashed: SIGFPE at address 0x", "fpe"},
        {"ill", "crashed: SIGILL at address 0x", "ill"},
        {"abort", "crashed: SIGABRT, in the request hook of", "abort"},
        {"null", "crashed: SIGSEGV at address 0x0, where nothing is mapped", "null"},
        {"overflow", "the stack is used up", "overflow"},
        {"thread", "crashed: SIGSEGV at address 0x10", "thread"},
    };
    struct server *s = *state;

    start(s, "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char target[32], line[64];
        const char *id;

        server_mark(s);
        snprintf(target, sizeof(target), "/crash/%s", cases[i].order);
        assert_int_equal(client_get(server_port(s), target, NULL), 502);
        server_wait_log(s, cases[i].what, LOG_MS);
        snprintf(line, sizeof(line), ": GET %s", target);
        id = strstr(server_wait_log(s, line, LOG_MS), "it ran request ");
        assert_non_null(id);
        assert_int_equal(strcspn(id + strlen("it ran request "), ":"), 36);
        wait_for_module(s);
        wait_for_name(s, cases[i].function);
    }
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_stop(s);
}

/* Code that runs beside handlers: whoever calls it, the log tells whose it is. */
static void test_beside_handlers(void **state)
{
    static const struct {
        const char *order, *what;
    } cases[] = {
        {"timer", ", in a timer, an event or a thread of module \"tmodules/crasher.so\""},
        {"listener", ", in a listener to events of module \"tmodules/crasher.so\""},
        {"reply", ", in a response callback of module \"tmodules/crasher.so\""},
    };
    struct server *s = *state;

    start(s, "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char target[32], line[160];

        server_mark(s);
        snprintf(target, sizeof(target), "/crash/%s", cases[i].order);
        assert_int_equal(client_get(server_port(s), target, NULL), 502);
        snprintf(line, sizeof(line), "crashed: SIGSEGV at address 0x10, where nothing is mapped%s",
                 cases[i].what);
        server_wait_log(s, line, LOG_MS);
        wait_for_name(s, "segv");
    }
    server_stop(s);
}

/* The bus tells the same id, from what it knows itself. */
static void test_id(void **state)
{
    struct server *s = *state;
    char text[64];
    const char *id;

    start(s, "");
    assert_int_equal(client_get(server_port(s), "/crash/segv", NULL), 502);
    id = strstr(server_wait_log(s, SERVER_DEATH, LOG_MS), "it ran request ");
    assert_non_null(id);
    snprintf(text, sizeof(text), "%.51s: GET", id);
    server_wait_log(s, text, LOG_MS);
    server_stop(s);
}

static void test_secrets(void **state)
{
    static const char headers[] = "Authorization: Bearer geheim1\r\n"
                                  "Cookie: a=geheim2\r\n"
                                  "X-API-Key: geheim3\r\n"
                                  "Proxy-Authorization: Basic geheim4\r\n"
                                  "X-Harmless: visible\r\n";
    struct server *s = *state;
    struct client c;

    start(s, "");
    client_open(&c, server_port(s));
    client_request(&c, "GET", "/crash/segv?a=1&access_token=geheim5&b=2", headers, "", 0);
    assert_int_equal(client_status(&c, CLIENT_MS), 502);
    client_close(&c);
    wait_for_name(s, "segv");
    assert_int_equal(server_log_count(s, "header x-harmless: visible"), 1);
    assert_int_equal(server_log_count(s, "header authorization: ***"), 1);
    assert_int_equal(server_log_count(s, "header x-api-key: ***"), 1);
    assert_int_equal(server_log_count(s, "?a=1&access_token=***&b=2"), 1);
    assert_int_equal(server_log_count(s, "geheim"), 0);
    server_stop(s);
}

/* What it answered is delivered, and its report tells the request all the same. */
static void test_answered(void **state)
{
    struct server *s = *state;

    start(s, "");
    assert_int_equal(client_get(server_port(s), "/crash/answered", NULL), 200);
    server_wait_log(s, "crashed: SIGSEGV", LOG_MS);
    server_wait_log(s, "it ran request ", LOG_MS);
    wait_for_name(s, "segv");
    server_stop(s);
}

static void test_crash_of_the_bus(void **state)
{
    struct server *s = *state;

    server_conf(s, SERVER_MODULES CRASHER "crasher_online on;\nworker { restarts 0; }\n"
                                          "http { listen 127.0.0.1:0; location / { handler hello; } }\n");
    server_launch(s, NULL);
    server_wait_log(
        s, "crashed: SIGSEGV at address 0x10, where nothing is mapped, in the online hook of module", LOG_MS);
    wait_for_module(s);
    wait_for_name(s, "segv");
    assert_int_not_equal(server_wait_exit(s, SERVER_STOP_MS), 0);
    server_check_clean(s);
}

/* Whatever a worker leaves as its report, lpm goes on. */
static void test_forged(void **state)
{
    static const char *const orders[] = {"/crash/forge255", "/crash/forge1", "/crash/forge65"};
    struct server *s = *state;

    start(s, "");
    for (size_t i = 0; i < 3; i++) {
        server_mark(s);
        assert_int_equal(client_get(server_port(s), orders[i], NULL), 502);
        server_wait_log(s, "crashed: ", LOG_MS);
        server_wait_log(s, "died of SIGKILL", LOG_MS);
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    }
    server_stop(s);
    assert_int_equal(server_log_count(s, "the process that told of"), 0);
}

/* -- Hangs --------------------------------------------------------------------------------------------- */

static void test_hang(void **state)
{
    struct server *s = *state;

    start(s, "");
    assert_int_equal(client_get(server_port(s), "/brief/hang", NULL), 504);
    server_wait_log(s, "hung, and was ended for that: SIGABRT, in the request hook of", LOG_MS);
    server_wait_log(s, ": GET /brief/hang", LOG_MS);
    wait_for_module(s);
    wait_for_name(s, "hang");
    server_wait_log(s, "died of SIGABRT: ", LOG_MS);
    server_stop(s);
}

static void test_deaf_hang(void **state)
{
    struct server *s = *state;

    start(s, "");
    assert_int_equal(client_get(server_port(s), "/brief/deaf", NULL), 504);
    server_wait_log(s, "died of SIGKILL: ", LOG_MS);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_stop(s);
}

/* -- Slow handlers ------------------------------------------------------------------------------------- */

static void test_slow(void **state)
{
    struct server *s = *state;

    start(s, "slow_request 200ms;");
    assert_int_equal(client_get(server_port(s), "/crash/slow", NULL), 200);
    server_wait_log(s, "its handler is slow, and runs on, in the request hook of", LOG_MS);
    server_wait_log(s, ": GET /crash/slow", LOG_MS);
    wait_for_module(s);
    wait_for_name(s, "slow");
    server_stop(s);
    assert_int_equal(server_log_count(s, "handler is slow"), 1);
    assert_int_equal(server_log_count(s, "died of"), 0);
}

static void test_slow_log(void **state)
{
    struct server *s = *state;
    char path[4200], *text;

    server_conf(s, SERVER_MODULES CRASHER "slow_log logs/slow.log;\nrequest { slow_request 200ms; }\n"
                                          "http { listen 127.0.0.1:0; location / { handler crasher; } }\n");
    server_start(s, NULL);
    assert_int_equal(client_get(server_port(s), "/slow", NULL), 200);
    server_stop(s); /* lpm waits for who writes it */
    text = run_read_file(server_path(s, "logs/slow.log", path, sizeof(path)));
    assert_non_null(text);
    assert_int_equal(run_count(text, "handler is slow"), 1);
    assert_int_equal(run_count(text, "crasher_slow"), LPM_HAVE_LIBDW);
    free(text);
    assert_int_equal(server_log_count(s, "handler is slow"), 0);
}

/* Calls of connections that a worker serves itself. */
static void test_direct(void **state)
{
    struct server *s = *state;

    server_conf(s, SERVER_MODULES CRASHER
                "request { slow_request 200ms; timeout 2500ms; }\n"
                "worker { restarts 1000; kill_after 300ms; }\n"
                "http { listen 127.0.0.1:0 handoff; location / { handler crasher; } }\n");
    server_start(s, NULL);
    assert_int_equal(client_get(server_port(s), "/slow", NULL), 200);
    server_wait_log(s, "handler is slow", LOG_MS);
    wait_for_name(s, "slow");
    server_mark(s);
    assert_int_equal(client_get(server_port(s), "/segv", NULL), 0);
    server_wait_log(s, "crashed: SIGSEGV", LOG_MS);
    server_wait_log(s, ": GET /segv", LOG_MS);
    server_mark(s);
    assert_int_equal(client_get(server_port(s), "/hang", NULL), 0);
    server_wait_log(s, "hung, and was ended", LOG_MS);
    server_wait_log(s, ": GET /hang", LOG_MS);
    wait_for_name(s, "hang");
    server_stop(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_crash),
        TEST(test_beside_handlers),
        TEST(test_id),
        TEST(test_secrets),
        TEST(test_answered),
        TEST(test_forged),
        TEST(test_crash_of_the_bus),
        TEST(test_hang),
        TEST(test_deaf_hang),
        TEST(test_slow),
        TEST(test_slow_log),
        TEST(test_direct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
