/*
 * Connections that are handed over to workers: the module lpm_socket takes them in, tests/modules/rawecho.c serves them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"
#include "server.h"
#include "wait.h"

#define SETTLE_TRIES 200

/* The first port is that of the sockets, the second is of http, for orders to tests/modules/seed. */
static void start(struct server *s, const char *worker, const char *block)
{
    server_conf(s,
                SERVER_MODULES "load_module modules/lpm_socket.so;\n"
                               "load_module tmodules/rawecho.so;\n"
                               "load_module tmodules/seed.so;\n"
                               "worker { %s }\n"
                               "socket { listen 127.0.0.1:0; handler rawecho; %s }\n"
                               "http { listen 127.0.0.1:0; location / { handler seed; } }\n",
                worker, block);
    server_start(s, NULL);
}

/* Sends a line and expects another; NULL: none, but the end. */
static void expect(struct client *c, const char *line, const char *answer)
{
    char room[256] = "";
    size_t len = 0;
    uint64_t deadline = wait_until(CLIENT_MS);

    if (line) {
        assert_true(client_text(c, line));
    }
    while (len == 0 || room[len - 1] != '\n') {
        ssize_t n;
        assert_true(wait_fd(c->fd, POLLIN, deadline));
        n = recv(c->fd, room + len, sizeof(room) - 1 - len, 0);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
    }
    room[len] = '\0';
    assert_string_equal(room, answer ? answer : "");
}

static pid_t pid_of(struct client *c)
{
    char room[32] = "";
    assert_true(client_text(c, "pid\n"));
    assert_true(wait_fd(c->fd, POLLIN, wait_until(CLIENT_MS)));
    assert_true(recv(c->fd, room, sizeof(room) - 1, 0) > 0);
    return (pid_t)strtol(room, NULL, 10);
}

/* How many sockets the workers have, by lpm_supervisor_health(). */
static unsigned long count_sockets(struct server *s)
{
    struct response r;
    unsigned long count = 0;

    assert_int_equal(client_once(s->ports[1], "POST", "/", "", "emit health", 11, &r), 200);
    for (const char *at = r.body; (at = strstr(at, "sockets=")) != NULL; at++) {
        count += strtoul(at + 8, NULL, 10);
    }
    client_forget(&r);
    return count;
}

/* The bus hears of it in a moment. */
static void wait_sockets(struct server *s, unsigned long count)
{
    for (int i = 0; count_sockets(s) != count; i++) {
        assert_in_range(i, 0, SETTLE_TRIES);
        assert_false(wait_gone(s->pidfd, wait_until(10)));
    }
}

static void test_echo(void **state)
{
    struct server *s = *state;
    struct client c;
    char line[128];
    struct sockaddr_in own;
    socklen_t len = sizeof(own);

    start(s, "count 1;", "");
    client_open(&c, server_port(s));
    expect(&c, "hello\n", "hello\n");
    assert_int_equal(getsockname(c.fd, (struct sockaddr *)&own, &len), 0);
    snprintf(line, sizeof(line), "127.0.0.1:%u at 127.0.0.1:0\n", ntohs(own.sin_port));
    expect(&c, "headers\n", line);
    wait_sockets(s, 1);
    expect(&c, "close\n", NULL);
    wait_sockets(s, 0);
    client_close(&c);
    server_stop(s);
}

static void test_unix(void **state)
{
    struct server *s = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct client c = {.fd = socket(AF_UNIX, SOCK_STREAM, 0)};

    server_conf(s, "load_module modules/lpm_socket.so;\nload_module tmodules/rawecho.so;\n"
                   "socket { listen unix:run/raw; handler rawecho; }\n");
    server_start(s, NULL);
    assert_int_equal(chdir(s->prefix), 0); /* the path of the prefix may be too long */
    strcpy(address.sun_path, "run/raw");
    assert_int_equal(connect(c.fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(chdir(".."), 0);
    expect(&c, "headers\n", "unix: at unix:run/raw\n");
    client_close(&c);
    server_stop(s);
}

/* Each goes to the worker that has the fewest. */
static void test_spread(void **state)
{
    enum { WORKERS = 3, EACH = 4 };
    struct server *s = *state;
    struct client c[WORKERS * EACH];
    pid_t pids[WORKERS];
    int counts[WORKERS] = {0};

    start(s, "count 3;", "");
    assert_int_equal(server_pids(s, "worker", pids, WORKERS), WORKERS);
    for (size_t i = 0; i < WORKERS * EACH; i++) {
        pid_t pid;
        client_open(&c[i], server_port(s));
        pid = pid_of(&c[i]);
        for (size_t k = 0; k < WORKERS; k++) {
            counts[k] += pids[k] == pid;
        }
    }
    for (size_t k = 0; k < WORKERS; k++) {
        assert_int_equal(counts[k], EACH);
    }
    for (size_t i = 0; i < WORKERS * EACH; i++) {
        client_close(&c[i]);
    }
    wait_sockets(s, 0);
    server_stop(s);
}

static void test_worker_dies(void **state)
{
    struct server *s = *state;
    struct client c[3];

    start(s, "count 1;", "");
    for (int i = 0; i < 3; i++) {
        client_open(&c[i], server_port(s));
        expect(&c[i], "x\n", "x\n");
    }
    assert_int_equal(count_sockets(s), 3);
    assert_true(client_text(&c[0], "die\n"));
    for (int i = 0; i < 3; i++) {
        expect(&c[i], NULL, NULL);
        client_close(&c[i]);
    }
    server_wait_log(s, "died of SIGKILL", 5000);
    client_open(&c[0], server_port(s)); /* its successor serves */
    expect(&c[0], "x\n", "x\n");
    assert_int_equal(count_sockets(s), 1);
    client_close(&c[0]);
    server_stop(s);
}

/* A soft kill accepts no more, and the module ends what it has. */
static void test_soft_kill(void **state)
{
    struct server *s = *state;
    struct client c, late;

    start(s, "count 2;", "");
    client_open(&c, server_port(s));
    expect(&c, "x\n", "x\n");
    server_signal(s, SIGQUIT);
    expect(&c, NULL, "bye\n");
    assert_true(client_closed(&c, CLIENT_MS));
    client_close(&c);
    assert_int_not_equal(client_try_open(&late, server_port(s)), 0);
    assert_int_equal(server_wait_exit(s, 5000), 0);
    server_check_clean(s);
}

static void test_max_connections(void **state)
{
    struct server *s = *state;
    struct client c[3];

    start(s, "count 1;", "max_connections 2;");
    for (int i = 0; i < 3; i++) {
        client_open(&c[i], server_port(s));
    }
    expect(&c[0], "x\n", "x\n");
    expect(&c[1], "x\n", "x\n");
    assert_true(client_text(&c[2], "y\n"));
    server_wait_log(s, "no connection is accepted for now: max_connections are with the workers", 5000);
    assert_false(client_readable(&c[2], 200));
    assert_int_equal(count_sockets(s), 2);
    client_close(&c[0]);
    expect(&c[2], NULL, "y\n");
    client_close(&c[1]);
    client_close(&c[2]);
    server_stop(s);
}

/* Neither the bus nor a worker dies when descriptors run out; those that are there go on. */
static void test_no_descriptor_left(void **state)
{
    enum { MANY = 150 };
    struct server *s = *state;
    struct client c[MANY], after;
    int served = 0;

    start(s, "count 1;", "");
    /* Of the worker alone: the bus gives its own away. */
    client_open(&after, server_port(s));
    expect(&after, "limit\n", "limited\n");
    client_close(&after);
    for (int i = 0; i < MANY; i++) {
        client_open(&c[i], server_port(s));
        assert_true(client_text(&c[i], "x\n"));
        assert_true(wait_fd(c[i].fd, POLLIN, wait_until(CLIENT_MS)));
        served += recv(c[i].fd, (char[8]){0}, 8, 0) > 0;
    }
    assert_in_range(served, 40, 80);
    server_wait_log(s, "no socket: -15", 5000);
    assert_int_equal(server_log_count(s, SERVER_DEATH), 0);
    expect(&c[0], "y\n", "y\n");
    wait_sockets(s, (unsigned long)served);
    for (int i = 0; i < MANY; i++) {
        client_close(&c[i]);
    }
    wait_sockets(s, 0);
    client_open(&after, server_port(s));
    expect(&after, "z\n", "z\n");
    client_close(&after);
    server_stop(s);
}

static void expect_refused(struct server *s, const char *block, const char *text)
{
    struct run run;

    server_conf(s, "load_module modules/lpm_socket.so;\nload_module tmodules/rawecho.so;\n%s\n", block);
    server_command(s, &run, "-t", NULL);
    assert_int_equal(run_exit(&run), 1);
    if (strstr(run.err, text) == NULL) {
        fail_msg("\"%s\" does not hold \"%s\"", run.err, text);
    }
    run_free(&run);
}

static void test_conf(void **state)
{
    struct server *s = *state;

    expect_refused(s, "socket { handler rawecho; }", "\"listen\"");
    expect_refused(s, "socket { listen 127.0.0.1:0; }", "\"handler\"");
    expect_refused(s, "socket { listen 127.0.0.1:0; handler nobody; }", "nobody");
    expect_refused(s, "socket { listen 127.0.0.1:0; handler rawecho; max_connections 0; }",
                   "max_connections");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_echo),
        TEST(test_unix),
        TEST(test_spread),
        TEST(test_worker_dies),
        TEST(test_soft_kill),
        TEST(test_max_connections),
        TEST(test_no_descriptor_left),
        TEST(test_conf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
