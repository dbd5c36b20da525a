/*
 * The restart limit: at most `restarts` in any `max_restarts_in_interval`, then degraded until the window allows more.
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
#include "misdeed.h"
#include "server.h"
#include "wait.h"

static void start(struct server *s, const char *worker)
{
    server_conf(s,
                SERVER_MODULES SERVER_MISDEED "worker { %s }\n"
                                              "http {\n"
                                              "    listen 127.0.0.1:0;\n"
                                              "    location /hello { handler hello; }\n"
                                              "    location /misdeed { handler misdeed; }\n"
                                              "}\n",
                worker);
    server_start(s, NULL);
}

/* Kills the only worker by a request, and waits until that is known. */
static void kill_worker(struct server *s, size_t number)
{
    assert_int_equal(client_get(server_port(s), MISDEED("abort"), NULL), 502);
    server_wait_log_count(s, "died of SIGABRT: ", number, 5000);
}

static void test_degraded(void **state)
{
    struct server *s = *state;
    struct response r;
    char room[64];

    start(s, "count 1; restarts 2; max_restarts_in_interval 60s;");
    for (size_t i = 1; i <= 3; i++) {
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
        kill_worker(s, i);
    }
    server_wait_log(s, "degraded", 5000);
    assert_int_equal(client_get(server_port(s), "/hello", &r), 503);
    assert_non_null(client_field(&r, "retry-after", room, sizeof(room)));
    assert_in_range(atoi(room), 1, 60);
    client_forget(&r);
    assert_int_equal(server_pids(s, "worker", (pid_t[SERVER_PIDS_MAX]){0}, SERVER_PIDS_MAX), 0);
    server_stop(s);
}

static void test_recovers(void **state)
{
    struct server *s = *state;
    uint64_t earliest, latest;

    start(s, "count 1; restarts 1; max_restarts_in_interval 1500ms;");
    earliest = wait_until(1000);
    kill_worker(s, 1);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    kill_worker(s, 2);
    server_wait_log(s, "degraded", 5000);

    /* Refused until the first restart is older than the interval, then served again, without being asked. */
    latest = wait_until(10000);
    while (client_get(server_port(s), "/hello", NULL) == 503) {
        assert_int_not_equal(wait_left(latest), 0);
        wait_gone(s->pidfd, wait_until(20));
    }
    assert_int_equal(wait_left(earliest), 0);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_stop(s);
}

/* What is left of a degraded pool goes on serving. */
static void test_half_degraded(void **state)
{
    struct server *s = *state;

    start(s, "count 2; restarts 0;");
    kill_worker(s, 1);
    server_wait_log(s, "degraded", 5000);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    }
    server_stop(s);
}

static void test_without_limit(void **state)
{
    struct server *s = *state;

    start(s, "count 1; restarts -1;");
    for (size_t i = 1; i <= 20; i++) {
        kill_worker(s, i);
    }
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    assert_int_equal(server_log_count(s, "degraded"), 0);
    server_stop(s);
}

/* A degraded pool is no hindrance to a quiet end. */
static void test_quit_while_degraded(void **state)
{
    struct server *s = *state;

    start(s, "count 1; restarts 0;");
    kill_worker(s, 1);
    server_wait_log(s, "degraded", 5000);
    server_signal(s, SIGQUIT);
    assert_int_equal(server_wait_exit(s, SERVER_STOP_MS), 0);
    server_check_clean(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_degraded),
        TEST(test_recovers),
        TEST(test_half_degraded),
        TEST(test_without_limit),
        TEST(test_quit_while_degraded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
