/*
 * The corners of events on a real server: sizes, pools, listeners that remove each other, descriptors, the end, and a worker
 * that dies with an emit open. The module tests/modules/events.c does it; tests/system/test_seed.c has the plain ways.
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
#include <sys/wait.h>

#include "client.h"
#include "server.h"
#include "wait.h"

/* `seed` is loaded before it, and passes orders to the bus: "emit EVENT DATA". */
static void start(struct server *s, const char *pools)
{
    server_conf(s,
                SERVER_MODULES "load_module tmodules/seed.so;\n"
                               "load_module tmodules/events.so;\n"
                               "%s\n"
                               "http {\n"
                               "    listen 127.0.0.1:0;\n"
                               "    location / { handler events; }\n"
                               "    location /seed { handler seed; }\n"
                               "    location /hello { handler hello; }\n"
                               "}\n",
                pools);
    server_start(s, NULL);
}

static void expect_at(struct server *s, const char *path, const char *order, const char *answer)
{
    struct response r;
    int status = client_once(server_port(s), "POST", path, "", order, strlen(order), &r);

    if (status != 200 || strcmp(r.body ? r.body : "", answer) != 0) {
        fail_msg("%s: %d \"%s\", expected \"%s\"", order, status, r.body ? r.body : "", answer);
    }
    client_forget(&r);
}

/* By the worker, and by the bus. */
static void expect(struct server *s, const char *order, const char *answer)
{
    expect_at(s, "/", order, answer);
}

static void expect_of_bus(struct server *s, const char *order, const char *answer)
{
    char text[128];
    snprintf(text, sizeof(text), "emit %s", order);
    expect_at(s, "/seed", text, answer);
}

/* What the worker says of a broadcast of `size` bytes: each is 7 times its place, modulo 251. */
static const char *note(size_t size, char *room, size_t room_size)
{
    unsigned long sum = 0;

    for (size_t i = 0; i < size; i++) {
        sum = sum * 31 + (unsigned char)(i * 7 % 251);
    }
    snprintf(room, room_size, "note %zu %lu;", size, sum);
    return room;
}

static void test_sizes(void **state)
{
    static const size_t sizes[] = {0, 3, 64, 1 << 20};
    struct server *s = *state;
    char order[64], text[64];

    start(s, "worker { count 1; }");
    expect(s, "echo 0", "same");
    expect(s, "echo 64", "same");
    expect(s, "echo 1048576", "same");
    expect(s, "echo 100000000", "same"); /* one alone may be larger than what may wait */
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        snprintf(order, sizeof(order), "send - note %zu", sizes[i]);
        expect_of_bus(s, order, "1");
        expect(s, "heard", note(sizes[i], text, sizeof(text)));
    }
    server_stop(s);
}

static void test_pools(void **state)
{
    struct server *s = *state;

    start(s, "worker { count 3; } worker second { handler events; count 1; }");
    expect_of_bus(s, "send second note 0", "1");
    expect_of_bus(s, "send default note 3", "3");
    expect_of_bus(s, "send - note 3", "4");
    expect_of_bus(s, "send none note 3", "-2");
    expect_of_bus(s, "send - softKill 0", "-2");
    expect(s, "heard", "note 0 0;note 3 231;");
    server_stop(s);
}

static void test_listeners(void **state)
{
    struct server *s = *state;

    start(s, "worker { count 1; }");
    expect(s, "passing", "added");
    expect_of_bus(s, "send - tick 0", "1");
    expect(s, "heard", "first;off 0 0;rest;");
    expect_of_bus(s, "send - tick 0", "1");
    expect(s, "heard", "rest;third;");
    expect(s, "leave", "by listener");
    expect(s, "bad", "-2 -2 -2 -2 -2, -2 -2 -2 -2 -5 -2, -3");
    server_stop(s);
}

static void test_descriptors(void **state)
{
    struct server *s = *state;

    start(s, "worker { count 1; }");
    expect_of_bus(s, "hand", "1 -2"); /* once more with one that is closed */
    expect(s, "heard", "hand 5 hello;");
    expect(s, "echo 64", "same");
    server_stop(s);
}

static void test_death(void **state)
{
    struct server *s = *state;

    start(s, "worker { count 1; }");
    assert_int_equal(client_once(server_port(s), "POST", "/", "", "die", 3, NULL), 502);
    server_wait_log(s, "kept die", 5000);
    server_wait_log(s, "heard childSpawned", 5000);
    expect_of_bus(s, "kept", "-6 -4");
    expect(s, "echo 64", "same");
    server_stop(s);
}

static void test_hard_kill(void **state)
{
    struct server *s = *state;

    start(s, "worker { count 1; }");
    expect(s, "open", "0");
    server_signal(s, SIGTERM);
    server_wait_log(s, "emit after hard kill: -10", 5000);
    server_wait_log(s, "open emit: -10, the worker ends, then -10", 5000);
    assert_int_equal(server_wait_exit(s, 5000), 0);
    server_check_clean(s);
}

/* `seed` is done at once, `events` takes its time. */
static void test_soft_kill(void **state)
{
    struct server *s = *state;

    start(s, "worker { count 2; }");
    expect(s, "open", "0");
    server_signal(s, SIGQUIT);
    server_wait_log_count(s, "heard softKill", 2, 5000);
    server_wait_log_count(s, "soft kill done: 0, again: -4", 2, 5000);
    server_wait_log(s, "open emit: -10, the worker ends, then -10", 5000);
    assert_int_equal(server_wait_exit(s, 5000), 0);
    server_check_clean(s);
}

static void test_sigint_once(void **state)
{
    struct server *s = *state;

    start(s, "worker { count 1; }");
    expect_of_bus(s, "once", "0");
    server_signal(s, SIGINT);
    server_wait_log(s, "heard SIGINT once", 5000);
    expect(s, "echo 64", "same");
    server_signal(s, SIGINT);
    assert_int_equal(server_wait_exit(s, 5000), 0);
    server_check_clean(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_sizes), TEST(test_pools),     TEST(test_listeners), TEST(test_descriptors),
        TEST(test_death), TEST(test_hard_kill), TEST(test_soft_kill), TEST(test_sigint_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
