/*
 * Connections that leave for another generation, and come from one.
 */
#include "test_http_host.h"

#define LOCATION  "location / { handler echo ; }"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static struct client a, b;

/* The second generation, with what the first handed over. */
static void go_over(const char *directives)
{
    char passport[64];
    size_t len = host.passport_len;
    int fd = host.handed_over;

    assert_true(fd > 0);
    memcpy(passport, host.passport, sizeof(passport));
    stop();
    serve(directives);
    host.take(&host.supervisor, fd, (lpm_slice){passport, len}, NULL);
}

static void retire(void)
{
    host.successor = 1;
    lpm_module_v1.supervisor_soft_kill(&host.supervisor);
}

static void test_idle_goes(void **state)
{
    (void)state;
    serve(LOCATION);
    client_open(&a);
    client_send(&a, GET("/1"));
    PUMP_UNTIL(client_has(&a, "/1"));
    retire();
    assert_int_equal(host.done, 1);
    assert_non_null(strstr(access_log(), "\"GET /1 HTTP/1.1\" 200"));
    go_over("keepalive_requests 2 ; " LOCATION);
    /* sent before or after, it is one request, and the second of its connection */
    client_send(&a, GET("/2"));
    PUMP_UNTIL(client_has(&a, "/2"));
    PUMP_UNTIL(client_closed(&a));
    assert_int_equal(count_of(a.got, "Connection: close"), 1);
    assert_non_null(strstr(host.taken[0].headers, ":remote: 127.0.0.1:"));
    client_close(&a);
    stop();
}

/* One that has said nothing yet is given the time of one that has said nothing yet. */
static void test_fresh_goes(void **state)
{
    (void)state;
    serve(LOCATION);
    client_open(&a);
    settle();
    retire();
    go_over("header_timeout 50ms ; keepalive_timeout 100 ; " LOCATION);
    PUMP_UNTIL(client_closed(&a));
    client_close(&a);
    stop();
}

static void test_busy_goes_later(void **state)
{
    (void)state;
    serve(LOCATION);
    host.hold = true;
    client_open(&a);
    client_send(&a, GET("/1") GET("/2"));
    PUMP_UNTIL(host.taken_count == 1);
    client_open(&b);
    client_send(&b, "GET /3 HTTP/1.1\r\nHo");
    settle();
    retire();
    assert_int_equal(host.handed_over, 0);
    answer_text(0, "one");
    PUMP_UNTIL(host.taken_count == 2); /* it was here already */
    assert_int_equal(host.handed_over, 0);
    answer_text(1, "two");
    assert_int_not_equal(host.handed_over, 0);
    PUMP_UNTIL(client_has(&a, "two"));
    assert_null(strstr(a.got, "Connection: close"));
    close(host.handed_over);
    client_send(&b, "st: a\r\n\r\n");
    PUMP_UNTIL(host.taken_count == 3);
    answer_text(2, "three");
    assert_int_equal(host.done, 1);
    go_over(LOCATION);
    client_send(&b, GET("/4"));
    PUMP_UNTIL(client_has(&b, "/4"));
    client_close(&a);
    client_close(&b);
    stop();
}

/* What cannot be read, or is no connection any more. */
static void test_strange(void **state)
{
    static const char other_version[8] = {9, 0, 0, 0, 1, 2, 3, 4};
    int fds[2];

    (void)state;
    serve("keepalive_timeout 0 ; " LOCATION);
    assert_int_equal(pipe(fds), 0);
    host.take(&host.supervisor, fds[0], lpm_slice_of(""), NULL);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
    close(fds[1]);
    for (size_t len = 0; len <= sizeof(other_version); len += sizeof(other_version)) {
        char byte[256];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        host.take(&host.supervisor, fds[0], (lpm_slice){other_version, len}, NULL);
        assert_int_equal(write(fds[1], GET("/5"), strlen(GET("/5"))), strlen(GET("/5")));
        PUMP_UNTIL(recv(fds[1], byte, sizeof(byte), MSG_DONTWAIT) > 0);
        close(fds[1]);
        settle();
    }
    assert_non_null(strstr(host.taken[0].headers, ":remote: unix:"));
    /* one that has no more time, by this configuration */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    host.take(&host.supervisor, fds[0], (lpm_slice){"\1\0\0\0\1\0\0\0", 8}, NULL);
    assert_int_equal(recv(fds[1], host.said, 1, 0), 0);
    close(fds[1]);
    /* and none is left behind after the end */
    lpm_module_v1.supervisor_hard_kill(&host.supervisor);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    host.take(&host.supervisor, fds[0], lpm_slice_of(""), NULL);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
    close(fds[1]);
    stop();
}

/* Through, to the generation after: this one is retired, too. */
static void test_goes_on(void **state)
{
    int fds[2];

    (void)state;
    serve(LOCATION);
    host.hold = true;
    client_open(&a);
    client_send(&a, GET("/1"));
    PUMP_UNTIL(host.taken_count == 1);
    retire();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    host.take(&host.supervisor, fds[0], lpm_slice_of(""), NULL);
    assert_int_equal(host.handed_over, fds[0]);
    close(fds[0]);
    close(fds[1]);
    client_close(&a);
    stop();
}

/* There is room for as many as are configured, wherever they come from. */
static void test_no_room(void **state)
{
    int fds[2];
    char byte;

    (void)state;
    serve("max_connections 1 ; " LOCATION);
    client_open(&a);
    client_send(&a, GET("/1"));
    PUMP_UNTIL(client_has(&a, "/1"));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    host.take(&host.supervisor, fds[0], lpm_slice_of(""), NULL);
    assert_int_equal(recv(fds[1], &byte, 1, 0), 0);
    assert_string_equal(host.said, "max_connections 1: a connection of the generation before is closed");
    close(fds[1]);
    client_close(&a);
    settle();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    host.take(&host.supervisor, fds[0], lpm_slice_of(""), NULL);
    assert_int_equal(recv(fds[1], &byte, 1, 0), -1);
    close(fds[1]);
    stop();
}

/* The server has gone already, and a connection of the generation before is late: it goes on to the next, or ends. */
static void test_too_late(void **state)
{
    int fds[2];
    char byte;

    (void)state;
    for (int next = 0; next < 2; next++) {
        serve(LOCATION);
        host.successor = next;
        lpm_module_v1.supervisor_soft_kill(&host.supervisor);
        assert_int_equal(host.done, 1);
        assert_null(host.context);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        host.take(&host.supervisor, fds[0], (lpm_slice){"\1\0\0\0\1\0\0\0", 8}, NULL);
        assert_int_equal(host.handed_over, next ? fds[0] : 0);
        assert_int_equal(recv(fds[1], &byte, 1, 0), next ? -1 : 0);
        if (next) {
            assert_int_equal(host.passport_len, 8);
            close(fds[0]);
        }
        close(fds[1]);
        stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_goes),       cmocka_unit_test(test_fresh_goes),
        cmocka_unit_test(test_busy_goes_later), cmocka_unit_test(test_strange),
        cmocka_unit_test(test_goes_on),         cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
