/*
 * The ingress over real sockets: timeouts, limits of connections, running out of descriptors, and the soft kill.
 */
#include "test_http_host.h"

#include <sys/resource.h>

static struct client a, b;

#define LOCATION  "location / { handler echo ; }"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* Opens a connection, sends, and returns after how many seconds the server closed it. */
static double closed_after(const char *request)
{
    double start;
    client_open(&a);
    client_send(&a, request);
    start = seconds();
    PUMP_UNTIL(client_closed(&a));
    client_close(&a);
    return seconds() - start;
}

static void test_header_timeout(void **state)
{
    (void)state;
    serve("header_timeout 200ms ; " LOCATION);
    assert_true(closed_after("GET / HTTP/1.1\r\nHo") >= 0.19);
    assert_memory_equal(a.got, "HTTP/1.1 408 ", 13);
    assert_non_null(strstr(a.got, "Connection: close\r\n"));
    /* who said nothing is told nothing */
    assert_true(closed_after("") >= 0.19);
    assert_int_equal(a.len, 0);
    assert_true(closed_after("\r\n") >= 0.19);
    assert_int_equal(a.len, 0);
    /* dripping bytes does not make it longer */
    client_open(&a);
    double start = seconds();
    client_send(&a, "GET /");
    while (!client_closed(&a) && seconds() - start < 2) {
        client_send(&a, "x");
        settle();
    }
    assert_true(seconds() - start < 1.5);
    client_close(&a);
    stop();
    assert_int_equal(count_of(access_log(), " 408 "), 2);
}

static void test_body_timeout(void **state)
{
    (void)state;
    serve("body_timeout 150ms ; " LOCATION);
    assert_true(closed_after("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab") >= 0.14);
    assert_memory_equal(a.got, "HTTP/1.1 408 ", 13);
    assert_true(closed_after("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na") >=
                0.14);
    assert_memory_equal(a.got, "HTTP/1.1 408 ", 13);
    assert_int_equal(host.taken_count, 0);
    stop();
}

static void test_keepalive(void **state)
{
    (void)state;
    serve("keepalive_timeout 150ms ; keepalive_requests 3 ; " LOCATION);
    assert_true(closed_after(GET("/1")) >= 0.14);
    assert_int_equal(count_of(a.got, "HTTP/1.1 200"), 1);
    assert_null(strstr(a.got, "Connection"));
    closed_after(GET("/1") GET("/2") GET("/3") GET("/4"));
    assert_int_equal(count_of(a.got, "HTTP/1.1 200"), 3);
    assert_int_equal(count_of(a.got, "Connection: close"), 1);
    stop();
    serve("keepalive_timeout 0 ; " LOCATION);
    closed_after(GET("/1"));
    assert_int_equal(count_of(a.got, "Connection: close"), 1);
    stop();
}

static void test_send_timeout(void **state)
{
    size_t len = 16u << 20;
    char *data = calloc(1, len);
    (void)state;
    assert_non_null(data);
    serve("send_timeout 150ms ; " LOCATION);
    host.hold = true;
    client_open(&a);
    client_send(&a, GET("/"));
    PUMP_UNTIL(host.taken_count == 1);
    answer(0, 0, NULL, 0, data, len);
    free(data);
    /* no byte is taken: the log's line says that it was given up */
    PUMP_UNTIL(strstr(access_log(), "\" 200 "));
    PUMP_UNTIL(client_closed(&a) || a.len == sizeof(a.got) - 1 || (a.len = 0));
    client_close(&a);
    stop();
    assert_int_equal(count_of(access_log(), "\" 200 "), 1);
    assert_null(strstr(access_log(), " 16777216 "));
}

static void test_max_connections(void **state)
{
    (void)state;
    serve("max_connections 1 ; " LOCATION);
    client_open(&a);
    client_send(&a, GET("/a"));
    PUMP_UNTIL(client_has(&a, "x-path: /a"));
    client_open(&b);
    client_send(&b, GET("/b"));
    settle();
    assert_int_equal(host.taken_count, 1);
    client_close(&a);
    PUMP_UNTIL(client_has(&b, "x-path: /b"));
    client_close(&b);
    stop();
}

/* Without a descriptor for it a connection waits, the loop does not spin, and it is served when there is one. */
static void test_no_descriptors(void **state)
{
    struct rlimit old, low;
    int turns = 0;
    (void)state;
    /* valgrind keeps the limit itself: it takes the connection in and closes it. */
    if (getenv("LPM_TEST_WRAPPER")) {
        skip();
    }
    serve(LOCATION);
    client_open(&a);
    assert_int_equal(send(a.fd, GET("/"), strlen(GET("/")), 0), strlen(GET("/")));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    PUMP_UNTIL(strstr(host.said, "cannot accept connections: Too many open files"));
    struct timeval tv = {0, 50000};
    event_base_loopexit(host.base, &tv);
    for (double until = seconds() + 0.05; seconds() < until; turns++) {
        event_base_loop(host.base, EVLOOP_ONCE);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_true(turns < 10);
    PUMP_UNTIL(client_has(&a, "HTTP/1.1 200"));
    client_close(&a);
    stop();
}

/* A low limit on open files lowers the limit of connections, and says so. */
static void test_reserve(void **state)
{
    struct rlimit old, low;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 1024;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    serve(LOCATION);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_string_equal(host.said,
                        "max_connections 10000 is more than 1024 open files allow: at most 768 connections "
                        "are taken");
    stop();
}

static void test_log_flush(void **state)
{
    (void)state;
    serve(LOCATION);
    client_open(&a);
    client_send(&a, GET("/"));
    PUMP_UNTIL(client_has(&a, "HTTP/1.1 200"));
    assert_string_equal(access_log(), "");
    PUMP_UNTIL(strstr(access_log(), "\"GET / HTTP/1.1\" 200"));
    client_close(&a);
    stop();
}

static void test_soft_kill_idle(void **state)
{
    (void)state;
    serve(LOCATION);
    client_open(&a);
    client_send(&a, GET("/"));
    PUMP_UNTIL(client_has(&a, "HTTP/1.1 200"));
    soft_kill();
    assert_int_equal(host.done, 0); /* its next request may be on its way */
    PUMP_UNTIL(host.done == 1);
    assert_null(host.context);
    PUMP_UNTIL(client_closed(&a));
    assert_non_null(strstr(access_log(), " 200 "));
    /* nobody is accepted any more */
    client_open(&b);
    settle();
    assert_false(client_closed(&b));
    client_close(&a);
    client_close(&b);
    stop();
}

/* A request that comes after the soft kill, but soon after the answer before it, is answered. */
static void test_soft_kill_next(void **state)
{
    (void)state;
    serve(LOCATION);
    client_open(&a);
    client_send(&a, GET("/1"));
    PUMP_UNTIL(client_has(&a, "/1"));
    soft_kill();
    settle();
    client_send(&a, GET("/2"));
    PUMP_UNTIL(client_closed(&a));
    assert_non_null(strstr(a.got, "/2"));
    assert_non_null(strstr(a.got, "Connection: close\r\n"));
    assert_int_equal(host.done, 1);
    client_close(&a);
    stop();
}

static void test_soft_kill_busy(void **state)
{
    static struct client half, fresh, ahead;
    (void)state;
    serve(LOCATION);
    client_open(&ahead);
    client_send(&ahead, GET("/0"));
    PUMP_UNTIL(client_has(&ahead, "/0"));
    host.hold = true;
    client_open(&a);
    client_send(&a, GET("/1"));
    PUMP_UNTIL(host.taken_count == 2);
    client_open(&half);
    client_send(&half, "GET /2 HTTP/1.1\r\nHo");
    client_open(&fresh);
    settle();
    /* in the kernel, not yet read */
    assert_int_equal(send(ahead.fd, GET("/3"), strlen(GET("/3")), 0), strlen(GET("/3")));
    soft_kill();
    assert_int_equal(host.taken_count, 3);
    assert_int_equal(host.done, 0);
    client_send(&half, "st: a\r\n\r\n");
    client_send(&fresh, GET("/4"));
    PUMP_UNTIL(host.taken_count == 5);
    for (size_t i = 1; i < 5; i++) {
        assert_int_equal(host.done, 0);
        answer_text(i, "bye");
    }
    assert_int_equal(host.done, 1);
    struct client *all[] = {&a, &half, &fresh, &ahead};
    for (int i = 0; i < 4; i++) {
        PUMP_UNTIL(client_closed(all[i]));
        assert_non_null(strstr(all[i]->got, "Connection: close\r\n"));
        assert_non_null(strstr(all[i]->got, "\r\n\r\nbye"));
        client_close(all[i]);
    }
    stop();
}

/* Those that wait to be accepted believe themselves connected. */
static void test_soft_kill_backlog(void **state)
{
    (void)state;
    serve(LOCATION);
    client_open(&a);
    client_open(&b);
    assert_int_equal(send(a.fd, GET("/a"), strlen(GET("/a")), 0), strlen(GET("/a")));
    soft_kill();
    client_send(&b, GET("/b"));
    PUMP_UNTIL(client_closed(&a) && client_closed(&b));
    assert_non_null(strstr(a.got, "Connection: close\r\n"));
    assert_non_null(strstr(b.got, "Connection: close\r\n"));
    assert_int_equal(host.taken_count, 2);
    assert_int_equal(host.done, 1);
    client_close(&a);
    client_close(&b);
    stop();
}

/* An answer that had said that the connection stays is still being written, and the client sends its next request. */
static void test_soft_kill_sending(void **state)
{
    static const size_t size = 32 << 20; /* more than any socket takes */
    char *large = malloc(size);
    (void)state;
    assert_non_null(large);
    memset(large, 'x', size);
    serve(LOCATION);
    host.hold = true;
    client_open(&a);
    client_send(&a, GET("/a"));
    PUMP_UNTIL(host.taken_count == 1);
    answer(0, 0, NULL, 0, large, size);
    soft_kill();
    assert_int_equal(host.done, 0);
    assert_int_equal(send(a.fd, GET("/b"), strlen(GET("/b")), 0), strlen(GET("/b")));
    PUMP_UNTIL((a.len = 0, client_closed(&a)) || host.taken_count == 2);
    assert_false(a.closed);
    answer_text(1, "bye");
    PUMP_UNTIL((a.len = 0, client_closed(&a)));
    assert_false(a.reset);
    assert_non_null(strstr(a.got, "bye"));
    assert_int_equal(host.done, 1);
    client_close(&a);
    stop();
    free(large);
}

/* A connection that was taken in and says nothing does not hold the soft kill up for long. */
static void test_soft_kill_silent(void **state)
{
    double start;
    (void)state;
    serve(LOCATION);
    client_open(&a);
    settle();
    soft_kill();
    assert_int_equal(host.done, 0);
    start = seconds();
    PUMP_UNTIL(host.done == 1);
    assert_true(seconds() - start < 4);
    client_close(&a);
    stop();
}

static void test_hard_kill(void **state)
{
    (void)state;
    serve(LOCATION);
    host.hold = true;
    client_open(&a);
    client_send(&a, GET("/"));
    PUMP_UNTIL(host.taken_count == 1);
    hard_kill();
    assert_null(host.context);
    assert_true(host.taken[0].cancelled);
    PUMP_UNTIL(client_closed(&a));
    client_close(&a);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BOTH(test_header_timeout),
        IN_BOTH(test_body_timeout),
        IN_BOTH(test_keepalive),
        IN_BOTH(test_send_timeout),
        IN_BUS(test_max_connections),
        IN_BUS(test_no_descriptors),
        IN_BUS(test_reserve),
        IN_BOTH(test_log_flush),
        IN_BOTH(test_soft_kill_idle),
        IN_BOTH(test_soft_kill_next),
        IN_BOTH(test_soft_kill_busy),
        IN_BOTH(test_soft_kill_backlog),
        IN_BOTH(test_soft_kill_sending),
        IN_BOTH(test_soft_kill_silent),
        IN_BOTH(test_hard_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
