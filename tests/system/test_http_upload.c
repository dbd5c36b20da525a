/*
 * Request bodies as streams, over HTTP: whole, in order, as they come; what ends early is seen to have ended early; and
 * nobody else waits for it.
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

#ifdef __SANITIZE_ADDRESS__ /* it keeps what is freed for a while */
#define LARGE  67108864L
#define GROWTH 65536
#else
#define LARGE  1073741824L
#define GROWTH 8192 /* kB */
#endif

static char bytes[1 << 20];

static void start(struct server *s, const char *more)
{
    server_conf(s,
                SERVER_MODULES "load_module tmodules/relay.so;\n"
                               "load_module tmodules/whole.so;\n"
                               "worker { count 2; }\n"
                               "http {\n"
                               "    listen 127.0.0.1:0;\n"
                               "    access_log logs/access.log;\n"
                               "    max_body_size 2g;\n"
                               "    %s\n"
                               "    location / { handler relay; }\n"
                               "    location /echo { handler echo; }\n"
                               "    location /whole { handler whole; }\n"
                               "    location /hello { handler hello; }\n"
                               "    location /hold { handler relay; timeout 300ms; }\n"
                               "}\n",
                more);
    server_start(s, NULL);
}

/* `size` bytes up and down again by curl: both sums have to be one. `options` are curl's. */
static void up_and_down(struct server *s, const char *path, long size, const char *options)
{
    char *script = NULL;
    struct run run;

    assert_true(asprintf(&script,
                         "set -e; cd '%s'; mkfifo sent.$$; sha256sum < sent.$$ > sent & "
                         "seq 1 200000000 2> err | head -c %ld | tee sent.$$ | "
                         "curl -sS -T - %s http://127.0.0.1:%d%s | sha256sum > got; wait; "
                         "cmp sent got",
                         s->prefix, size, options, server_port(s), path) > 0);
    run_command(&run, 120000, (const char *const[]){"bash", "-c", script, NULL});
    if (run_exit(&run) != 0) {
        fail_msg("%s %s: %d: %s%s", path, options, run_exit(&run), run.out, run.err);
    }
    run_free(&run);
    free(script);
}

/* 1 GiB through a worker and back, with the bus as small as before. */
static void test_large(void **state)
{
    struct server *s = *state;
    char length[80];
    long before;

    start(s, "");
    up_and_down(s, "/copy", 1000000, "");
    before = server_peak_kb(server_pid(s, "bus"));
    snprintf(length, sizeof(length), "-H Content-Length:%ld -H Transfer-Encoding:", LARGE);
    up_and_down(s, "/copy", LARGE, length);
    up_and_down(s, "/copy", LARGE / 8, ""); /* chunked, both ways */
    up_and_down(s, "/echo", LARGE / 8, ""); /* the worker hands the stream on */
    assert_in_range(server_peak_kb(server_pid(s, "bus")), 0, before + GROWTH);
    server_stop(s);
}

/* One handler cannot see a stream, one gets none because the body is small. */
static void test_whole(void **state)
{
    struct server *s = *state;
    struct response r;

    start(s, "");
    memset(bytes, 'z', sizeof(bytes));
    assert_int_equal(client_once(server_port(s), "POST", "/whole", "", bytes, sizeof(bytes), &r), 200);
    assert_string_equal(r.body, "1048576 z");
    client_forget(&r);
    assert_int_equal(client_once(server_port(s), "POST", "/count", "", bytes, 65536, &r), 200);
    assert_string_equal(r.body, "whole: 65536");
    client_forget(&r);
    assert_int_equal(client_once(server_port(s), "POST", "/count", "", bytes, 65537, &r), 200);
    assert_string_equal(r.body, "65537");
    client_forget(&r);
    server_stop(s);
}

static void begin(struct server *s, struct client *c, const char *path, size_t announced, size_t sent)
{
    client_open(c, server_port(s));
    assert_true(
        client_printf(c, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", path, announced));
    assert_true(client_send(c, bytes, sent));
}

static void check_answer(struct client *c, int status, const char *body)
{
    struct response r;

    client_read(c, &r, CLIENT_MS);
    assert_int_equal(r.status, status);
    assert_false(r.broken);
    if (body) {
        assert_string_equal(r.body, body);
    }
    client_forget(&r);
}

/* The next request of the same connection. */
static void check_stays(struct client *c)
{
    assert_true(client_request(c, "GET", "/hello", "", "", 0));
    check_answer(c, 200, "hello\n");
    client_close(c);
}

static void test_client_goes(void **state)
{
    struct server *s = *state;
    struct client c;

    start(s, "");
    begin(s, &c, "/early", 1000000, 200000);
    check_answer(&c, 200, "early"); /* so it is not waiting any more */
    client_close(&c);
    server_wait_log(s, "/early: aborted after 200000: Connection reset by peer", 5000);
    server_stop(s);
}

static void test_worker_dies(void **state)
{
    struct server *s = *state;
    struct client c;

    start(s, "");
    begin(s, &c, "/die", 1000000, 5000);
    check_answer(&c, 502, NULL);
    client_close(&c);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_stop(s);
}

/* Handlers that do not want all of it. The client, which goes on sending, reads their answers. */
static void test_not_wanted(void **state)
{
    struct server *s = *state;
    struct client c;

    start(s, "");
    begin(s, &c, "/refuse", 500000, 1000);
    client_send(&c, bytes, 499000);
    check_answer(&c, 403, "no");
    client_close(&c);
    begin(s, &c, "/close", 500000, 1000);
    client_send(&c, bytes, 499000);
    check_answer(&c, 200, NULL);
    client_close(&c);
    server_stop(s);
}

/* The answer comes first, the body after it, and the connection stays. */
static void test_early(void **state)
{
    struct server *s = *state;
    struct client c;

    start(s, "");
    begin(s, &c, "/early", 300000, 1000);
    check_answer(&c, 200, "early");
    assert_true(client_send(&c, bytes, 299000));
    server_wait_log(s, "/early: read 300000", 5000);
    check_stays(&c);
    server_stop(s);
}

static void test_time_limits(void **state)
{
    struct server *s = *state;
    struct client c;

    start(s, "body_timeout 200ms;");
    begin(s, &c, "/count", 1000000, 70000);
    check_answer(&c, 408, NULL);
    client_close(&c);
    server_wait_log(s, "/count: aborted after 70000", 5000);
    begin(s, &c, "/hold", 400000, 400000); /* it is read by nobody, so it is not late */
    check_answer(&c, 504, NULL);
    client_close(&c);
    begin(s, &c, "/slow", 1000000, 1000000); /* slower than the limit, but it comes */
    check_answer(&c, 200, "1000000");
    check_stays(&c);
    server_stop(s);
}

/* A hundred slow ones at once do not delay the small ones, and a soft kill lets them end. */
static void test_many(void **state)
{
    enum { SLOW = 100 };
    struct server *s = *state;
    struct client slow[SLOW];

    start(s, "");
    for (int i = 0; i < SLOW; i++) {
        begin(s, &slow[i], "/count", 200000, 1000);
    }
    for (int i = 0; i < 200; i++) {
        uint64_t deadline = wait_until(1000);
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
        assert_int_not_equal(wait_left(deadline), 0);
        assert_true(client_send(&slow[i % SLOW], bytes, 1000));
    }
    server_signal(s, SIGQUIT);
    for (int i = 0; i < SLOW; i++) {
        assert_true(client_send(&slow[i], bytes, 197000));
        check_answer(&slow[i], 200, "200000");
        client_close(&slow[i]);
    }
    assert_int_equal(server_wait_exit(s, 10000), 0);
    server_check_clean(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {TEST(test_large),       TEST(test_whole),      TEST(test_client_goes),
                                       TEST(test_worker_dies), TEST(test_not_wanted), TEST(test_early),
                                       TEST(test_time_limits), TEST(test_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
