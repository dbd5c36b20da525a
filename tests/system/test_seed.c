/*
 * What the README of load-process-manager promises, on a real server: the module tests/modules/seed does it, in the bus and
 * in the workers, and tells.
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

static void start(struct server *s, const char *worker)
{
    server_conf(s,
                SERVER_MODULES "load_module tmodules/seed.so;\n"
                               "worker { %s }\n"
                               "http {\n"
                               "    listen 127.0.0.1:0;\n"
                               "    location / { handler seed; }\n"
                               "    location /brief { handler seed; timeout 100ms; }\n"
                               "    location /hello { handler hello; }\n"
                               "}\n",
                worker);
    server_start(s, NULL);
}

/* Gives an order; the answer is the caller's to free. */
static char *order_at(struct server *s, const char *path, const char *order, int status)
{
    struct response r;
    char *body;

    assert_int_equal(client_once(server_port(s), "POST", path, "", order, strlen(order), &r), status);
    body = strdup(r.body ? r.body : "");
    assert_non_null(body);
    client_forget(&r);
    return body;
}

static void expect(struct server *s, const char *order, const char *answer)
{
    char *body = order_at(s, "/", order, 200);
    if (strcmp(body, answer) != 0) {
        fail_msg("%s: \"%s\", expected \"%s\"", order, body, answer);
    }
    free(body);
}

static void expect_part(struct server *s, const char *order, const char *part)
{
    char *body = order_at(s, "/", order, 200);
    if (strstr(body, part) == NULL) {
        fail_msg("%s: \"%s\", expected to hold \"%s\"", order, body, part);
    }
    free(body);
}

/* -- Events ------------------------------------------------------------------------------------------- */

static void test_emit(void **state)
{
    struct server *s = *state;

    start(s, "count 2;");
    expect(s, "emit double 21", "42");
    expect(s, "emit later x", "x");
    expect(s, "emit nobody x", "error -11 nobody listens to the event");
    expect(s, "fire nobody x", "emit: 0");
    expect(s, "emits 10000", "10000 replies, 0 wrong");
    expect(s, "emit", "emit: -2");
    server_stop(s);
}

static void test_emit_in_time(void **state)
{
    struct server *s = *state;

    server_conf(s, SERVER_MODULES "load_module tmodules/seed.so;\n"
                                  "request { timeout 300ms; }\n"
                                  "http { listen 127.0.0.1:0; location / { handler seed; timeout 30s; } }\n");
    server_start(s, NULL);
    expect(s, "emit mute x", "error -7 no listener answered in time");
    expect(s, "emit double 21", "42");
    server_stop(s);
}

static void test_broadcast(void **state)
{
    struct server *s = *state;

    start(s, "count 3;");
    expect(s, "emit broadcast note hi", "3");
    expect(s, "emit broadcast once 1", "3");
    expect(s, "emit broadcast once 2", "3");
    expect(s, "emit broadcast note", "3");
    expect(s, "got", "note=hi;once=1;note=;");
    server_stop(s);
}

static void test_core_events(void **state)
{
    struct server *s = *state;
    pid_t pids[SERVER_PIDS_MAX];

    start(s, "count 2;");
    server_wait_log(s, "heard online", 5000);
    assert_int_equal(server_log_count(s, "heard childSpawned default/"), 2);
    server_mark(s);
    assert_int_equal(server_pids(s, "worker", pids, SERVER_PIDS_MAX), 2);
    kill(pids[0], SIGKILL);
    server_wait_log(s, "died of SIGKILL", 5000);
    server_wait_log(s, "heard childSpawned default/", 5000);
    assert_int_equal(server_log_count(s, "heard online"), 0);
    server_stop(s);
}

static void test_sigint(void **state)
{
    struct server *s = *state;

    start(s, "count 1;");
    expect(s, "emit sigint", "0");
    server_signal(s, SIGINT);
    server_wait_log(s, "heard SIGINT", 5000);
    expect(s, "emit double 1", "2");
    server_stop(s); /* TERM is nobody's to replace */
}

static void test_once(void **state)
{
    struct server *s = *state;

    start(s, "count 1;");
    expect(s, "emit single", "heard");
    expect(s, "emit single", "error -11 nobody listens to the event");
    server_stop(s);
}

/* -- The supervisor's rule ---------------------------------------------------------------------------- */

static unsigned long long number_in(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    assert_non_null(at);
    return strtoull(at + strlen(name), NULL, 10);
}

static void test_health(void **state)
{
    struct server *s = *state;
    char *health, *before;

    start(s, "count 1;");
    before = order_at(s, "/", "emit health", 200);
    assert_int_equal(number_in(before, "pid="), server_pid(s, "worker"));
    assert_int_equal(number_in(before, "in_flight="), 1);
    assert_int_equal(number_in(before, "started="), 1);
    assert_int_equal(number_in(before, "gen="), 1);
    assert_in_range(number_in(before, "rss="), 100000, 1u << 30);
    free(order_at(s, "/", "take 50000000", 200));
#ifdef __SANITIZE_ADDRESS__
    /* The sanitizer has a malloc of its own, of which mallinfo2() tells nothing. */
    expect_part(s, "emit health", "heap=0/0");
    free(before);
    server_stop(s);
    return;
#endif
    for (int i = 0;; i++) { /* it says so at most once a second */
        assert_in_range(i, 0, 100);
        assert_false(wait_gone(s->pidfd, wait_until(50)));
        health = order_at(s, "/", "emit health", 200);
        if (number_in(health, "heap=") >= number_in(before, "heap=") + 50000000) {
            break;
        }
        free(health);
    }
    assert_true(number_in(health, "rss=") >= number_in(before, "rss=") + 40000000);
    assert_true(number_in(health, "requests=") > number_in(before, "requests="));
    free(before);
    free(health);
    server_stop(s);
}

static size_t workers(struct server *s)
{
    pid_t pids[SERVER_PIDS_MAX];
    return server_pids(s, "worker", pids, SERVER_PIDS_MAX);
}

static void test_resize(void **state)
{
    struct server *s = *state;

    start(s, "count 2;");
    expect(s, "emit resize 5", "0");
    server_wait_log(s, "done 0", 5000);
    assert_int_equal(workers(s), 5);
    server_mark(s);
    expect(s, "emit resize 1", "0");
    server_wait_log(s, "done 0", 5000);
    assert_int_equal(workers(s), 1);
    assert_int_equal(server_log_count(s, "heard childExited"), 4);
    assert_int_equal(server_log_count(s, "exited with status 0"),
                     8); /* told by the master and by the module */
    server_mark(s);
    expect(s, "emit resize 3", "0"); /* places that were given up are filled again */
    server_wait_log(s, "done 0", 5000);
    assert_int_equal(workers(s), 3);
    server_stop(s);
}

/* Those with the most memory go first, and no request fails for it. */
static void test_resize_victims(void **state)
{
    struct server *s = *state;
    char *body, *fat;

    start(s, "count 2; concurrency 1;");
    fat = order_at(s, "/", "pid", 200);
    free(order_at(s, "/", "take 30000000", 200));
    /* It may have been the other one that took: ask until both are known. */
    for (int i = 0; i < 70; i++) {
        free(order_at(s, "/", "pid", 200));
    }
    body = order_at(s, "/", "emit health", 200);
    expect(s, "emit resize 1", "0");
    server_wait_log(s, "done 0", 5000);
    assert_int_equal(workers(s), 1);
    expect_part(s, "emit double 4", "8");
    free(body);
    free(fat);
    server_stop(s);
}

static void test_resize_by_signal(void **state)
{
    struct server *s = *state;

    start(s, "count 1;");
    server_signal(s, SIGTTIN);
    server_wait_log(s, "resized from 1 to 2", 5000);
    server_wait_log(s, "childSpawned default/1", 5000);
    expect(s, "emit double 1", "2");
    server_signal(s, SIGTTOU);
    server_wait_log(s, "resized from 2 to 1", 5000);
    server_wait_log(s, "childExited", 5000);
    assert_int_equal(workers(s), 1);
    server_signal(s, SIGTTOU); /* the last one stays */
    expect(s, "emit double 1", "2");
    assert_int_equal(workers(s), 1);
    server_stop(s);
}

static void test_soft_kill(void **state)
{
    struct server *s = *state;
    struct client c;

    start(s, "count 2;");
    client_open(&c, server_port(s));
    client_request(&c, "POST", "/", "", "hold 300", 8);
    expect(s, "emit double 1", "2");
    expect(s, "emit soft", "0 -4");
    assert_int_equal(client_status(&c, CLIENT_MS), 200);
    client_close(&c);
    server_wait_log_count(s, "heard softKill", 2, 5000);
    server_wait_log(s, "done 0", 5000);
    assert_int_equal(server_wait_exit(s, 5000), 0);
    server_check_clean(s);
}

static void test_hard_kill(void **state)
{
    struct server *s = *state;
    struct response r;

    start(s, "count 1;");
    client_once(server_port(s), "POST", "/", "", "emit hard", 9, &r);
    client_forget(&r);
    server_wait_log(s, "heard hardKill", 5000);
    assert_int_equal(server_wait_exit(s, 5000), 0);
    server_check_clean(s);
}

static void test_enqueue(void **state)
{
    struct server *s = *state;

    start(s, "count 1;");
    expect(s, "emit enqueue hold 10", "held");
    expect(s, "emit refusals", "-2 -2 -2 -2 -5 -2 -2");
    server_stop(s);
}

/* What enqueue() is given counts, and not what the configuration says. */
static void test_enqueue_options(void **state)
{
    struct server *s = *state;

    start(s, "count 2; restarts 100;");
    expect(s, "emit try - - created", "0");
    server_wait_log(s, "outcome 0: the same id and time", 5000);
    expect(s, "emit try 50 - hold 400", "0");
    server_wait_log(s, "outcome -7: ", 5000);
    server_mark(s);
    expect(s, "emit try - 0 die", "0");
    server_wait_log(s, "outcome -8: ", 5000);
    server_wait_log(s, "heard childExited", 5000);
    assert_int_equal(server_log_count(s, "heard childExited"), 1);
    server_wait_log(s, "heard childSpawned", 5000);
    server_mark(s);
    expect(s, "emit try - 1 die", "0");
    server_wait_log(s, "outcome -8: ", 10000);
    server_wait_log_count(s, "heard childExited", 2, 5000);
    assert_int_equal(server_log_count(s, "heard childExited"), 2);
    server_stop(s);
}

/* -- The worker's own state --------------------------------------------------------------------------- */

static void test_busy_and_ready(void **state)
{
    struct server *s = *state;
    char *busy, *other;
    bool back = false;

    start(s, "count 2;");
    busy = order_at(s, "/", "busy 600", 200);
    /* The bus knows it when the other one has answered something. */
    free(order_at(s, "/", "pid", 200));
    for (int i = 0; i < 20; i++) {
        other = order_at(s, "/", "pid", 200);
        assert_string_not_equal(other, busy);
        free(other);
    }
    assert_int_equal(server_log_count(s, "ready again"), 0);
    server_wait_log(s, "ready again: 0", 5000);
    for (int i = 0; i < 1000 && !back; i++) {
        other = order_at(s, "/", "pid", 200);
        back = strcmp(other, busy) == 0;
        free(other);
    }
    assert_true(back);
    free(busy);
    server_stop(s);
}

/* One that is busy does not end before it is ready again. */
static void test_busy_while_soft_killed(void **state)
{
    struct server *s = *state;

    start(s, "count 1;");
    free(order_at(s, "/", "busy 600", 200));
    server_signal(s, SIGQUIT);
    assert_false(wait_gone(s->pidfd, wait_until(200)));
    assert_int_equal(server_wait_exit(s, 5000), 0);
    assert_int_equal(server_log_count(s, "ready again: 0"), 1);
    server_check_clean(s);
}

static void test_requests(void **state)
{
    struct server *s = *state;
    struct client c;

    start(s, "count 1;");
    client_open(&c, server_port(s));
    client_request(&c, "POST", "/", "", "cancelled", 9);
    assert_false(client_readable(&c, 100));
    expect(s, "listed", "2 before, 1 after");
    assert_int_equal(client_status(&c, CLIENT_MS), 200);
    client_close(&c);
    server_stop(s);
}

/* -- Streams and sockets ------------------------------------------------------------------------------ */

#define SUM "67108864 bytes, sum "

static void test_streams(void **state)
{
    struct server *s = *state;
    char *up, *down;

    start(s, "count 2;");
    up = order_at(s, "/", "emit upload 67108864", 200);
    down = order_at(s, "/", "emit download answer-stream 67108864", 200);
    assert_memory_equal(up, SUM, strlen(SUM));
    assert_string_equal(up, down);
    free(up);
    free(down);
    expect(s, "emit upload-abort 100000", "aborted after 100000: Connection reset by peer");
    expect(s, "emit download abort-stream 100000", "aborted after 100000: Connection reset by peer");
    expect(s, "emit download pid", "no stream: ");
    server_stop(s);
}

static void test_socket(void **state)
{
    struct server *s = *state;
    char *health;

    start(s, "count 1;");
    expect_part(s, "emit handover", "12 bytes, sum ");
    server_wait_log(s, "second close: -2", 5000);
    health = order_at(s, "/", "emit health", 200);
    assert_int_equal(number_in(health, "sockets="), 0);
    free(health);
    server_stop(s);
}

static void test_cancelled(void **state)
{
    struct server *s = *state;
    struct client c;
    int status;

    start(s, "count 1;");
    /* Worker and bus see the deadline at the same time: its answer may come just before the timeout. */
    status = client_once(server_port(s), "POST", "/brief", "", "cancelled", 9, NULL);
    assert_true(status == 504 || status == 200);
    server_wait_log(s, "cancelled ", 5000);
    server_mark(s);
    client_open(&c, server_port(s));
    client_request(&c, "POST", "/", "", "cancelled", 9);
    expect(s, "requests", "2");
    server_signal(s, SIGQUIT); /* draining counts as cancelled, and the answer still arrives */
    assert_int_equal(client_status(&c, CLIENT_MS), 200);
    client_close(&c);
    server_wait_log(s, "cancelled ", 5000);
    assert_int_equal(server_wait_exit(s, 5000), 0);
    server_check_clean(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_emit),
        TEST(test_emit_in_time),
        TEST(test_broadcast),
        TEST(test_core_events),
        TEST(test_sigint),
        TEST(test_health),
        TEST(test_resize),
        TEST(test_resize_victims),
        TEST(test_resize_by_signal),
        TEST(test_soft_kill),
        TEST(test_hard_kill),
        TEST(test_enqueue),
        TEST(test_streams),
        TEST(test_socket),
        TEST(test_cancelled),
        TEST(test_once),
        TEST(test_enqueue_options),
        TEST(test_busy_and_ready),
        TEST(test_busy_while_soft_killed),
        TEST(test_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
