/*
 * Client connections over a reload: they stay, and go on with the new generation.
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
#include <unistd.h>

#include "client.h"
#include "run.h"
#include "server.h"
#include "wait.h"
#include "wrk.h"

#define MANY 300

static void configure(struct server *s, int number)
{
    server_conf(s,
                SERVER_MODULES "load_module tmodules/seed.so;\n"
                               "worker { count 1; }\n"
                               "http {\n"
                               "    listen 127.0.0.1:0;\n"
                               "    large_header_size %dk;\n" /* something that differs */
                               "    location / { handler seed; }\n"
                               "    location /echo { handler echo; }\n"
                               "    location /hello { handler hello; }\n"
                               "}\n",
                8 + number);
}

static void start(struct server *s)
{
    configure(s, 0);
    server_start(s, NULL);
}

/* Waits until only the new one is there. */
static void reload(struct server *s, int number)
{
    char text[64];

    configure(s, number);
    server_mark(s);
    server_signal(s, SIGHUP);
    snprintf(text, sizeof(text), "online: generation %d", number + 1);
    server_wait_log(s, text, 10000);
}

/* Until one bus is left. */
static void wait_single(struct server *s)
{
    pid_t pids[SERVER_PIDS_MAX];
    uint64_t deadline = wait_until(10000);

    while (server_pids(s, "bus", pids, SERVER_PIDS_MAX) > 1) {
        int fd = wait_open(pids[0]);
        if (fd >= 0) {
            assert_true(wait_gone(fd, deadline));
            close(fd);
        }
    }
}

/* Which worker answers? The connection stays. */
static long ask_pid(struct client *c)
{
    struct response r;
    char room[64];
    long pid;

    assert_true(client_request(c, "POST", "/", "", "pid", 3));
    client_read(c, &r, CLIENT_MS);
    assert_int_equal(r.status, 200);
    assert_null(client_field(&r, "connection", room, sizeof(room)));
    pid = strtol(r.body, NULL, 10);
    client_forget(&r);
    return pid;
}

/* One that had a request, one that had none yet: neither sees that the server is another. */
static void test_idle(void **state)
{
    struct server *s = *state;
    struct client used, fresh;
    long before;

    start(s);
    client_open(&used, server_port(s));
    before = ask_pid(&used);
    client_open(&fresh, server_port(s));
    reload(s, 1);
    wait_single(s);
    assert_int_not_equal(ask_pid(&used), before);
    assert_int_equal(ask_pid(&used), ask_pid(&fresh));
    client_close(&used);
    client_close(&fresh);
    server_stop(s);
}

/* One whose request runs is answered by the generation that has it, and moves then. So over three generations. */
static void test_busy(void **state)
{
    struct server *s = *state;
    struct client c;
    struct response r;
    char room[64];
    long before;

    start(s);
    client_open(&c, server_port(s));
    before = ask_pid(&c);
    client_request(&c, "POST", "/", "", "hold 3000", 9);
    reload(s, 1);
    reload(s, 2);
    client_read(&c, &r, CLIENT_MS);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "held");
    assert_null(client_field(&r, "connection", room, sizeof(room)));
    client_forget(&r);
    wait_single(s);
    assert_int_not_equal(ask_pid(&c), before);
    client_close(&c);
    server_stop(s);
}

static void test_many(void **state)
{
    static struct client all[MANY];
    struct server *s = *state;
    long now;

    start(s);
    for (int i = 0; i < MANY; i++) {
        client_open(&all[i], server_port(s));
        ask_pid(&all[i]);
    }
    reload(s, 1);
    wait_single(s);
    now = ask_pid(&all[0]);
    for (int i = 1; i < MANY; i++) {
        assert_int_equal(ask_pid(&all[i]), now);
        client_close(&all[i]);
    }
    client_close(&all[0]);
    server_stop(s);
}

/* What arrives while the connection moves is answered once, by one of the two. */
static void test_under_load(void **state)
{
    struct server *s = *state;
    struct wrk w;

    start(s);
    wrk_start(&w, server_port(s), "/hello", 32, 4, NULL);
    for (int i = 1; i <= 3; i++) {
        reload(s, i);
    }
    wrk_finish(&w);
    assert_int_equal(wrk_socket_errors(&w), 0);
    assert_int_equal(w.errors, 0);
    assert_true(w.requests > 1000);
    run_free(&w.run);
    wait_single(s);
    server_stop(s);
}

/* The successor is killed while connections are on their way to it, or there already. */
static void test_successor_dies(void **state)
{
    struct server *s = *state;
    struct client c, other;
    struct response r;
    pid_t pids[SERVER_PIDS_MAX];

    start(s);
    client_open(&c, server_port(s));
    client_request(&c, "POST", "/", "", "hold 3000", 9);
    reload(s, 1);
    server_mark(s);
    assert_int_equal(server_pids(s, "bus", pids, SERVER_PIDS_MAX), 2);
    kill(pids[1], SIGKILL); /* the younger one */
    server_wait_log(s, "online: generation 3", 10000);
    client_read(&c, &r, CLIENT_MS);
    assert_int_equal(r.status, 200);
    client_forget(&r);
    wait_single(s);
    client_open(&other, server_port(s));
    assert_int_equal(ask_pid(&other), ask_pid(&c));
    client_close(&other);
    client_close(&c);
    server_stop(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {TEST(test_idle), TEST(test_busy), TEST(test_many),
                                       TEST(test_under_load), TEST(test_successor_dies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
