/*
 * Streamed answers over HTTP: whole, in order, as they come; and what ends early is seen to have ended early.
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
#include <sys/socket.h>

#include "client.h"
#include "run.h"
#include "server.h"
#include "wait.h"

#define HEAD_DATA "head:" /* what the module's answers begin with */
#ifdef __SANITIZE_ADDRESS__
#define LARGE 67108864L
#else
#define LARGE 1073741824L
#endif

static void start(struct server *s)
{
    server_conf(s, SERVER_MODULES "load_module tmodules/seed.so;\n"
                                  "worker { count 2; }\n"
                                  "http {\n"
                                  "    listen 127.0.0.1:0;\n"
                                  "    access_log logs/access.log;\n"
                                  "    location / { handler seed; }\n"
                                  "    location /hello { handler hello; }\n"
                                  "}\n");
    server_start(s, NULL);
}

static void ask(struct server *s, struct client *c, const char *order)
{
    client_open(c, server_port(s));
    client_request(c, "POST", "/", "", order, strlen(order));
}

static void check_bytes(const struct response *r, size_t count)
{
    assert_int_equal(r->len, count + strlen(HEAD_DATA));
    assert_memory_equal(r->body, HEAD_DATA, strlen(HEAD_DATA));
    for (size_t i = 0; i < count; i++) {
        if ((unsigned char)r->body[i + strlen(HEAD_DATA)] != (unsigned char)i) {
            fail_msg("byte %zu is wrong", i);
        }
    }
}

static void test_framings(void **state)
{
    static const char *const orders[] = {"answer-stream 1000000", "measured 1000000", "answer-stream 0",
                                         "measured 0"};
    struct server *s = *state;
    struct client c;
    struct response r;
    char room[64];

    start(s);
    client_open(&c, server_port(s));
    for (size_t i = 0; i < 4; i++) { /* the connection stays after each */
        client_request(&c, "POST", "/", "", orders[i], strlen(orders[i]));
        client_read(&c, &r, CLIENT_MS);
        assert_int_equal(r.status, 200);
        assert_false(r.broken);
        check_bytes(&r, i < 2 ? 1000000 : 0);
        assert_true((client_field(&r, "transfer-encoding", room, sizeof(room)) != NULL) == (i % 2 == 0));
        assert_true((client_field(&r, "content-length", room, sizeof(room)) != NULL) == (i % 2 == 1));
        client_forget(&r);
    }
    client_close(&c);
    /* HTTP/1.0 knows no chunks: the end of the connection is the end. */
    client_open(&c, server_port(s));
    client_text(&c,
                "POST / HTTP/1.0\r\nContent-Length: 17\r\nConnection: keep-alive\r\n\r\nanswer-stream 999");
    client_read(&c, &r, CLIENT_MS);
    assert_false(r.broken);
    check_bytes(&r, 999);
    assert_null(client_field(&r, "transfer-encoding", room, sizeof(room)));
    client_forget(&r);
    client_close(&c);
    server_stop(s);
}

/* curl's status: 0 for a whole answer. */
static int curl(struct server *s, const char *order, long *bytes)
{
    char url[64];
    struct run run;
    int status;

    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server_port(s));
    run_command(&run, 60000,
                (const char *const[]){"curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}", "-d", order,
                                      url, NULL});
    status = run_exit(&run);
    *bytes = strtol(run.out, NULL, 10);
    run_free(&run);
    return status;
}

static void test_large(void **state)
{
    struct server *s = *state;
    char order[64];
    long bytes, before;

    start(s);
    assert_int_equal(curl(s, "answer-stream 1000000", &bytes), 0);
    before = server_peak_kb(server_pid(s, "bus"));
    snprintf(order, sizeof(order), "answer-stream %ld", LARGE);
    assert_int_equal(curl(s, order, &bytes), 0);
    assert_true(bytes == LARGE + (long)strlen(HEAD_DATA));
    assert_in_range(server_peak_kb(server_pid(s, "bus")), 0, before + 8192);
    server_stop(s);
}

static void test_early_ends(void **state)
{
    static const char *const orders[] = {"abort-stream 100000", "measured-short 100000"};
    struct server *s = *state;
    long bytes;

    start(s);
    for (size_t i = 0; i < 2; i++) {
        server_mark(s);
        assert_int_not_equal(curl(s, orders[i], &bytes), 0);
        server_wait_log(s, "the connection is reset", 5000);
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    }
    server_stop(s);
}

/* Each event arrives when it is sent, not when the answer is over. */
static void test_as_it_comes(void **state)
{
    struct server *s = *state;
    struct client c;
    char room[4096];
    size_t reads = 0, ticks = 0;
    ssize_t n;

    start(s);
    ask(s, &c, "ticks 5");
    while (ticks < 5) {
        assert_true(client_readable(&c, 5000));
        n = recv(c.fd, room, sizeof(room) - 1, 0);
        assert_true(n > 0);
        room[n] = '\0';
        reads++;
        ticks += run_count(room, "tick");
    }
    assert_in_range(reads, 5, 12);
    client_close(&c);
    server_wait_log(s, "ticks end: ", 5000);
    server_stop(s);
}

static void test_worker_dies(void **state)
{
    struct server *s = *state;
    struct client c;
    struct response r;
    pid_t pids[SERVER_PIDS_MAX];

    start(s);
    ask(s, &c, "ticks 1000");
    assert_true(client_readable(&c, 5000));
    for (size_t i = 0, count = server_pids(s, "worker", pids, SERVER_PIDS_MAX); i < count; i++) {
        kill(pids[i], SIGKILL);
    }
    client_read(&c, &r, CLIENT_MS);
    assert_true(r.broken || r.status == 0);
    client_forget(&r);
    client_close(&c);
    server_wait_log(s, "the connection is reset", 5000);
    server_stop(s);
}

/* The worker learns that nobody reads any more. */
static void test_client_goes(void **state)
{
    struct server *s = *state;
    struct client c;

    start(s);
    ask(s, &c, "ticks 1000");
    assert_true(client_readable(&c, 5000));
    client_close(&c);
    server_wait_log(s, "ticks end: ", 5000);
    server_stop(s);
}

static void test_head_only(void **state)
{
    struct server *s = *state;
    struct client c;
    struct response r;

    start(s);
    client_open(&c, server_port(s));
    c.head = true;
    client_request(&c, "HEAD", "/", "Content-Length: 8\r\n", "", 0);
    client_text(&c, "ticks 99");
    client_read(&c, &r, CLIENT_MS);
    assert_int_equal(r.status, 200);
    client_forget(&r);
    server_wait_log(s, "ticks end: ", 5000);
    client_close(&c);
    server_stop(s);
}

/* A hundred slow ones at once do not delay the small ones, and a soft kill lets them end. */
static void test_many(void **state)
{
    enum { SLOW = 100 };
    struct server *s = *state;
    struct client slow[SLOW];
    struct response r;

    start(s);
    for (int i = 0; i < SLOW; i++) {
        ask(s, &slow[i], "ticks 20");
    }
    for (int i = 0; i < 200; i++) {
        uint64_t deadline = wait_until(1000);
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
        assert_int_not_equal(wait_left(deadline), 0);
    }
    server_signal(s, SIGQUIT);
    for (int i = 0; i < SLOW; i++) {
        client_read(&slow[i], &r, CLIENT_MS);
        assert_false(r.broken);
        assert_int_equal(r.len, 100);
        client_forget(&r);
        client_close(&slow[i]);
    }
    assert_int_equal(server_wait_exit(s, 5000), 0);
    server_check_clean(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {TEST(test_framings),    TEST(test_large),       TEST(test_early_ends),
                                       TEST(test_as_it_comes), TEST(test_worker_dies), TEST(test_client_goes),
                                       TEST(test_head_only),   TEST(test_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
