/*
 * Workers that leave a real server, for each reason, and what lpm says of it: the log, lpmctl, the restart limit.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "ctl.h"
#include "fail.h"
#include "server.h"
#include "wait.h"

#define SOON_MS 20000
#ifdef SERVER_SANITIZED
#define LIMIT "900m" /* a sanitizer has much of its own */
#define OVER  "1050000000"
#define HARD  "1600000000"
#else
#define LIMIT "60m"
#define OVER  "68000000"
#define HARD  "110000000"
#endif

/* No restart is allowed: whoever leaves costs none, or requests are refused. */
static void start(struct server *s, const char *worker, const char *more)
{
    server_conf(s,
                SERVER_MODULES "load_module tmodules/ruler.so;\n"
                               "load_module tmodules/leaker.so;\n"
                               "leak_size 4m; ruler_refuse run/refuse; probation 0s; %s\n"
                               "worker { restarts 0; %s }\n"
                               "http { listen 127.0.0.1:0; location / { handler ruler; }\n"
                               "       location /hello { handler hello; }\n"
                               "       location /leak { handler leaker; } }\n",
                more, worker);
    server_start(s, NULL);
}

static int order(struct server *s, const char *text)
{
    return client_once(server_port(s), "POST", "/", "", text, strlen(text), NULL);
}

static void hello(struct server *s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    }
}

/* `lpmctl COMMAND` has that in it. */
static void expect_ctl(const struct server *s, const char *command, const char *option, const char *text)
{
    struct run run;

    ctl_start(&run, s, command, option, NULL);
    run_finish(&run, CTL_MS);
    if (run.status != 0 || !strstr(run.out, text)) {
        fail_test("lpmctl %s: status %d, expected \"%s\" in: %s", command, run.status, text, run.out);
    }
    run_free(&run);
}

static void test_max_requests(void **state)
{
    struct server *s = *state;

    start(s, "count 2; max_requests 40;", "");
    for (uint64_t end = wait_until(SOON_MS); server_log_count(s, "its share of max_requests: a succ") < 6;) {
        hello(s, 10);
        assert_int_not_equal(wait_left(end), 0);
    }
    assert_int_equal(server_log_count(s, SERVER_DEATH), 0);
    assert_int_equal(server_log_count(s, "degraded"), 0);
    server_stop(s);
}

static void test_max_age(void **state)
{
    struct server *s = *state;

    start(s, "count 2; max_age 1s;", "");
    server_wait_log_count(s, "its share of max_age: a successor is started", 3, SOON_MS);
    hello(s, 10);
    assert_int_equal(server_log_count(s, "degraded"), 0);
    server_stop(s);
}

/* As soon as it serves, not only when its probation is over. */
static void test_during_probation(void **state)
{
    struct server *s = *state;

    start(s, "count 1; max_age 1s;", "");
    server_conf(s, SERVER_MODULES "probation 1h; worker { restarts 0; max_age 1s; }\n"
                                  "http { listen 127.0.0.1:0; location /hello { handler hello; } }\n");
    server_mark(s);
    ctl(s, 0, "", "reload", NULL);
    server_wait_log_count(s, "its share of max_age: a successor is started", 3, SOON_MS);
    hello(s, 10);
    server_stop(s);
}

static void test_memory(void **state)
{
    struct server *s = *state;
    pid_t before, after[SERVER_PIDS_MAX];

    start(s, "count 1; rss_limit " LIMIT ";", "");
    before = server_pid(s, "worker");
    assert_int_equal(order(s, "grow " OVER), 200);
    server_wait_log(s, "over the rss_limit of", SOON_MS);
    assert_non_null(strstr(s->line, "a successor is started"));
    for (uint64_t end = wait_until(SOON_MS); kill(before, 0) == 0;) {
        hello(s, 1);
        assert_int_not_equal(wait_left(end), 0);
    }
    hello(s, 10);
    assert_int_equal(server_pids(s, "worker", after, SERVER_PIDS_MAX), 1);
    expect_ctl(s, "status", "--json", "\"replaced\":{\"memory\":1,");
    expect_ctl(s, "status", NULL, "REPLACED");
    assert_int_equal(server_log_count(s, "degraded"), 0);
    server_stop(s);
}

static void test_half_as_much_again(void **state)
{
    struct server *s = *state;

    start(s, "count 1; rss_limit " LIMIT ";", "");
    order(s, "grow " HARD); /* it may not live to answer */
    server_wait_log(s, "is killed: it has half as much memory again as rss_limit", SOON_MS);
    hello(s, 10);
    expect_ctl(s, "status", "--json", "\"killed\":1");
    assert_int_equal(server_log_count(s, "degraded"), 0);
    server_stop(s);
}

/* The module of the successor refuses: the old one goes on. */
static void test_no_successor(void **state)
{
    struct server *s = *state;
    pid_t before;

    start(s, "count 1; max_requests 20;", "");
    before = server_pid(s, "worker");
    server_write(s, "run/refuse", "refuse");
    hello(s, 25);
    server_wait_log(s, "goes on: its successor did not get ready", SOON_MS);
    hello(s, 25);
    assert_int_equal(server_pid(s, "worker"), before);
    remove(server_path(s, "run/refuse", (char[4200]){0}, 4200));
    server_mark(s);
    server_wait_log(s, "a successor is started", SOON_MS);
    for (uint64_t end = wait_until(SOON_MS); kill(before, 0) == 0;) {
        hello(s, 1);
        assert_int_not_equal(wait_left(end), 0);
    }
    server_stop(s);
}

/* It has something left that takes too long. */
static void test_drain_timeout(void **state)
{
    struct server *s = *state;
    struct client c;

    start(s, "count 1; max_requests 20; drain_timeout 300ms;", "");
    client_open(&c, server_port(s));
    client_request(&c, "POST", "/", "", "hold 60000", 10);
    hello(s, 25);
    server_wait_log(s, "has not ended within drain_timeout: killed", SOON_MS);
    assert_int_equal(client_status(&c, SOON_MS), 502);
    client_close(&c);
    hello(s, 10);
    server_stop(s);
}

/* At 80 %, once; and whose requests it was. */
static void test_trim_and_blame(void **state)
{
    struct server *s = *state;
    struct run run;
    const char *row;
    double growth = 0;

    start(s, "count 1; rss_limit 300m;", "leak_time 20ms;");
    for (int i = 0; i < 30; i++) {
        hello(s, 2);
        assert_int_equal(client_get(server_port(s), "/leak", NULL), 200);
    }
    assert_int_equal(server_log_count(s, "nothing to trim"), 0);
    for (uint64_t end = wait_until(SOON_MS); server_log_count(s, "nothing to trim") == 0;) {
        assert_int_equal(client_get(server_port(s), "/leak", NULL), 200);
        assert_int_not_equal(wait_left(end), 0);
    }
    expect_ctl(s, "status", "--json", "\"trims\":1");
    expect_ctl(s, "health", NULL, "GROWTH/REQ");
    ctl_start(&run, s, "health", "--json", NULL);
    run_finish(&run, CTL_MS);
    row = strstr(run.out, "\"handler\":\"leaker\"");
    assert_non_null(row);
    assert_int_equal(sscanf(strstr(row, "growth_per_request"), "growth_per_request\":%lf", &growth), 1);
    assert_in_range((uintmax_t)growth, 3 << 20, 5 << 20);
    row = strstr(run.out, "\"handler\":\"hello\"");
    assert_non_null(row);
    assert_int_equal(sscanf(strstr(row, "growth_per_request"), "growth_per_request\":%lf", &growth), 1);
    assert_true(growth < 1 << 20 && growth > -(1 << 20));
    run_free(&run);
    assert_int_equal(server_log_count(s, "nothing to trim"), 1);
    server_stop(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_max_requests),  TEST(test_max_age),        TEST(test_during_probation),
        TEST(test_memory),        TEST(test_no_successor),   TEST(test_half_as_much_again),
        TEST(test_drain_timeout), TEST(test_trim_and_blame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
