/*
 * Dispatch, seen from outside: no request waits while a worker is idle, and none stands behind a slow one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
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

/* Handlers slow enough that each is given one request at a time: when one is done the next must follow at once,
 * whatever the bus looks at first, the answer or the board. */
static void test_no_wake_up_is_lost(void **state)
{
    enum { CLIENTS = 8, ROUNDS = 60 };
    struct server *s = *state;
    struct client clients[CLIENTS];
    uint64_t deadline;

    start(s, "count 1;");
    for (size_t i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], server_port(s));
    }
    /* All of it takes about a second. */
    deadline = wait_until(10000);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < CLIENTS; i++) {
            client_request(&clients[i], "GET", MISDEED_SLEEP("2"), "", "", 0);
        }
        for (size_t i = 0; i < CLIENTS; i++) {
            assert_int_equal(client_status(&clients[i], 3000), 200);
        }
    }
    assert_int_not_equal(wait_left(deadline), 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        client_close(&clients[i]);
    }
    server_stop(s);
}

static void test_idle_before_blocked(void **state)
{
    struct server *s = *state;
    struct client slow;
    uint64_t deadline;

    /* It is known as fast, is given much in advance, and then blocks. */
    start(s, "count 2;");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(client_get(server_port(s), MISDEED(""), NULL), 200);
    }
    client_open(&slow, server_port(s));
    deadline = wait_until(2500);
    client_request(&slow, "GET", MISDEED_SLEEP("3000"), "", "", 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    }
    assert_int_not_equal(wait_left(deadline), 0);
    assert_false(client_readable(&slow, 0));
    client_close(&slow);
    server_stop(s);
}

/* Answers that come later, from timers: `concurrency` of them at once in one worker, and no more. */
static void test_concurrency(void **state)
{
    enum { CLIENTS = 8 };
    struct server *s = *state;
    struct client clients[CLIENTS];
    uint64_t least, most;

    start(s, "count 1; concurrency 4;");
    least = wait_until(550);
    most = wait_until(3000);
    for (size_t i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], server_port(s));
        client_request(&clients[i], "GET", MISDEED("wait=300"), "", "", 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(client_status(&clients[i], CLIENT_MS), 200);
        client_close(&clients[i]);
    }
    assert_int_equal(wait_left(least), 0);
    assert_int_not_equal(wait_left(most), 0);
    server_stop(s);
}

/* lpm_worker_busy(): nothing more for that worker until it is ready again. */
static void test_busy(void **state)
{
    struct server *s = *state;
    struct response r;
    char other[64];

    start(s, "count 2;");
    assert_int_equal(client_get(server_port(s), MISDEED("busy"), NULL), 200);
    /* Whoever it was: all that follow go to the other one. */
    assert_int_equal(client_get(server_port(s), MISDEED("pid"), &r), 200);
    snprintf(other, sizeof(other), "%s", r.body);
    client_forget(&r);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(client_get(server_port(s), MISDEED("pid"), &r), 200);
        assert_string_equal(r.body, other);
        client_forget(&r);
    }
    server_stop(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_wake_up_is_lost),
        TEST(test_idle_before_blocked),
        TEST(test_concurrency),
        TEST(test_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
