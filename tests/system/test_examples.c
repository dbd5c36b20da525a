/*
 * The modules in modules/examples with the configurations in conf/examples, but for the port: they do what they say.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "server.h"
#include "wait.h"

#define PORT     "127.0.0.1:8080;"
#define ANY_PORT "127.0.0.1:0;   "

static void start(struct server *s, const char *example)
{
    char path[512], *text, *at;

    snprintf(path, sizeof(path), LPM_SOURCE_DIR "/conf/examples/%s.conf", example);
    text = run_read_file(path);
    assert_non_null(text);
    while ((at = strstr(text, PORT)) != NULL) {
        memcpy(at, ANY_PORT, strlen(ANY_PORT));
    }
    server_conf(s, "%s", text);
    free(text);
    server_start(s, NULL);
}

static void expect(struct server *s, const char *data, int status, const char *answer)
{
    struct response r;

    assert_int_equal(client_once(server_port(s), "POST", "/", "", data, strlen(data), &r), status);
    assert_string_equal(r.body, answer);
    client_forget(&r);
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* Ten requests at once: two seconds in all, not ten times two. */
static void test_seed_example(void **state)
{
    struct server *s = *state;
    double begin;

    start(s, "seed_example");
    server_wait_log(s, "All workers are online", 5000);
    begin = now();
    server_wait_log_count(s, "Answer received from worker: {\"dummy\":\"world\"}", 10, 10000);
    print_message("all ten were answered after %.2f s\n", now() - begin);
    assert_true(now() - begin >= 1.5 && now() - begin < 4);
    assert_int_equal(server_log_count(s, "Received a new request with payload: {\"Hello\":\"World\"}"), 10);
    server_signal(s, SIGINT);
    server_wait_log(s, "SIGINT received through supervisor", 5000);
    server_wait_log(s, "soft kill done", 5000);
    assert_int_equal(server_wait_exit(s, 5000), 0);
    server_check_clean(s);
}

/* SIGINT while they wait: all of them are answered first. */
static void test_seed_example_soft_kill(void **state)
{
    struct server *s = *state;

    start(s, "seed_example");
    server_wait_log_count(s, "Received a new request", 10, 5000);
    server_signal(s, SIGINT);
    server_wait_log_count(s, "Answer received from worker", 10, 10000);
    server_wait_log(s, "soft kill done", 5000);
    assert_int_equal(server_wait_exit(s, 5000), 0);
    server_check_clean(s);
}

static void test_hello_cxx(void **state)
{
    struct server *s = *state;
    char name[66];

    start(s, "hello_cxx");
    expect(s, "", 200, "hello you, 1 times\n");
    expect(s, "Ada", 200, "hello Ada, 1 times\n");
    expect(s, "Ada", 200, "hello Ada, 2 times\n");
    memset(name, 'n', 65);
    name[65] = '\0';
    expect(s, name, 500, "a name of more than 64 bytes");
    expect(s, "Ada", 200, "hello Ada, 3 times\n");
    server_stop(s);
}

/* -- unix_proxy: the test is the service -------------------------------------------------------------- */

static int service_listen(const struct server *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[4200];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(strlen(server_path(s, "run/service.sock", path, sizeof(path))) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(chmod(path, 0777), 0);
    assert_int_equal(listen(fd, 10), 0);
    return fd;
}

/* The next conversation, after all that it is told. */
static int service_accept(int listener, const char *expected)
{
    char told[256];
    size_t len = 0;
    ssize_t n;
    int fd;

    assert_true(wait_fd(listener, POLLIN, wait_until(5000)));
    fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    while (wait_fd(fd, POLLIN, wait_until(5000)) && (n = read(fd, told + len, sizeof(told) - 1 - len)) > 0) {
        len += (size_t)n;
    }
    told[len] = '\0';
    assert_string_equal(told, expected);
    return fd;
}

static void ask(struct server *s, struct client *c, const char *data)
{
    client_open(c, server_port(s));
    client_request(c, "POST", "/", "", data, strlen(data));
}

static void expect_answer(struct client *c, int status, const char *answer)
{
    struct response r;

    client_read(c, &r, CLIENT_MS);
    assert_int_equal(r.status, status);
    assert_string_equal(r.body, answer);
    client_forget(&r);
    client_close(c);
}

static void test_unix_proxy(void **state)
{
    struct server *s = *state;
    struct client one, two;
    char *large = calloc(1, 2u << 20), path[4200];
    int listener, first, second;

    start(s, "unix_proxy");
    expect(s, "hello", 502, "the service cannot be reached\n");
    listener = service_listen(s);

    /* Two conversations at once, the later one answered first. */
    ask(s, &one, "first");
    first = service_accept(listener, "first");
    ask(s, &two, "");
    second = service_accept(listener, "");
    assert_int_equal(write(second, "2nd", 3), 3);
    close(second);
    expect_answer(&two, 200, "2nd");
    close(first);
    expect_answer(&one, 200, "");

    ask(s, &one, "large");
    first = service_accept(listener, "large");
    signal(SIGPIPE, SIG_IGN);
    assert_true(write(first, large, 2u << 20) < (2 << 20)); /* given up before its end */
    close(first);
    expect_answer(&one, 502, "the service's answer is over 1 MiB\n");

    /* A service that is silent while a soft kill begins has a second. */
    ask(s, &one, "slow");
    first = service_accept(listener, "slow");
    server_signal(s, SIGQUIT);
    expect_answer(&one, 502, "the service took too long\n");
    close(first);
    close(listener);
    unlink(server_path(s, "run/service.sock", path, sizeof(path)));
    free(large);
    assert_int_equal(server_wait_exit(s, 5000), 0);
    server_check_clean(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_seed_example),
        TEST(test_seed_example_soft_kill),
        TEST(test_hello_cxx),
        TEST(test_unix_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
