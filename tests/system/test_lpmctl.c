/*
 * lpmctl and the control socket: each command on a real server, and clients that are not lpmctl.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"
#include "run.h"
#include "server.h"
#include "wait.h"

#define CLIENTS 100

static void start(struct server *s)
{
    server_conf(
        s, SERVER_MODULES
        "load_module tmodules/seed.so;\n"
        "worker { count 2; }\n"
        "http { listen 127.0.0.1:0; location / { handler seed; } location /hello { handler hello; } }\n");
    server_start(s, NULL);
}

/* Runs lpmctl with the words; the exit status has to be `status`, and standard output to hold `out`, standard error `err`. */
static void ctl(struct server *s, int status, const char *out, const char *err, ...)
    __attribute__((sentinel));
static void ctl(struct server *s, int status, const char *out, const char *err, ...)
{
    const char *argv[24] = {LPM_BUILD_DIR "/lpmctl", "-p", s->prefix};
    size_t argc = 3;
    struct run run;
    va_list words;

    va_start(words, err);
    while (argc < 23 && (argv[argc] = va_arg(words, const char *)) != NULL) {
        argc++;
    }
    va_end(words);
    run_command(&run, 20000, argv);
    if (run_exit(&run) != status || strstr(run.out, out) == NULL || strstr(run.err, err) == NULL) {
        fail_msg("lpmctl %s: status %d\n%s\n%s", argv[3] ? argv[3] : "", run_exit(&run), run.out, run.err);
    }
    run_free(&run);
}

static void test_commands(void **state)
{
    struct server *s = *state;

    start(s);
    ctl(s, 0, "default/1 ", "", "health", NULL);
    ctl(s, 0, "\"heap_used\":", "", "health", "--json", NULL);
    ctl(s, 0, "lpm/0.1.0 is serving: generation 1", "", "status", NULL);
    ctl(s, 0, "default/0 ", "", "top", "--count", "1", NULL);
    ctl(s, 0, "sent to 2 workers", "", "broadcast", "note", "hi", NULL);
    ctl(s, 0, "note=hi;", "", "enqueue", "seed", "got", NULL);
    ctl(s, 0, "sent to 2 workers", "", "broadcast", "note", "x", "--pool", "default", NULL);
    ctl(s, 1, "", "existing pool", "broadcast", "note", "x", "--pool", "none", NULL);
    ctl(s, 0, "", "", "resize", "default", "4", NULL);
    ctl(s, 0, "default/3 ", "", "health", NULL);
    ctl(s, 0, "", "", "resize", "default", "1", NULL);
    ctl(s, 1, "", "from 1 to 1024", "resize", "default", "0", NULL);
    ctl(s, 1, "", "existing pool", "resize", "none", "2", NULL);
    server_stop(s);
}

static void test_enqueue(void **state)
{
    struct server *s = *state;
    struct run run;
    char command[9000];

    start(s);
    ctl(s, 0, "hello", "", "enqueue", "echo", "hello", NULL);
    ctl(s, 0, "x-echo-headers: 1\n", "", "enqueue", "echo", "x", "--header", "x-echo-headers: 1", NULL);
    ctl(s, 0, "content-type: ", "", "enqueue", "echo", "x", "--include", NULL);
    ctl(s, 1, "", "no module \"nobody\" answers requests (LPM_ENOHANDLER)", "enqueue", "nobody", NULL);
    ctl(s, 1, "", "(LPM_ETIMEDOUT)", "enqueue", "seed", "hold 5000", "--timeout", "50", NULL);
    ctl(s, 1, "", "LPM_EINVAL", "enqueue", "echo", "x", "--header", "Bad Name: x", NULL);
    /* Bytes that are no text, both ways. */
    snprintf(command, sizeof(command),
             "head -c 300000 /dev/urandom > data; '%s/lpmctl' -p '%s' enqueue echo - < data | cmp - data",
             LPM_BUILD_DIR, s->prefix);
    run_command(&run, 20000, (const char *const[]){"sh", "-c", command, NULL});
    assert_int_equal(run_exit(&run), 0);
    run_free(&run);
    server_stop(s);
}

static void test_usage(void **state)
{
    struct server *s = *state;

    start(s);
    ctl(s, 0, "usage: lpmctl", "", "--help", NULL);
    ctl(s, 0, "usage: lpmctl enqueue", "", "enqueue", "--help", NULL);
    ctl(s, 2, "", "no command", NULL);
    ctl(s, 2, "", "unknown command \"foo\"", "foo", NULL);
    ctl(s, 2, "", "unknown option \"--foo\"", "health", "--foo", NULL);
    ctl(s, 2, "", "needs a value", "enqueue", "echo", "--timeout", NULL);
    ctl(s, 2, "", "expects a number", "enqueue", "echo", "--timeout", "x", NULL);
    ctl(s, 2, "", "usage: lpmctl resize POOL N", "resize", "default", NULL);
    ctl(s, 2, "", "takes no \"now\"", "health", "now", NULL);
    server_stop(s);
    ctl(s, 3, "", "cannot reach lpm at \"run/lpm.sock\"", "health", NULL);
}

static void test_kills(void **state)
{
    struct server *s = *state;

    start(s);
    ctl(s, 0, "", "", "soft-kill", NULL);
    assert_int_equal(server_wait_exit(s, 5000), 0);
    server_check_clean(s);
    start(s);
    ctl(s, 0, "", "", "soft-kill", "--no-wait", NULL);
    assert_int_equal(server_wait_exit(s, 5000), 0);
    start(s);
    ctl(s, 0, "", "", "hard-kill", NULL);
    assert_int_equal(server_wait_exit(s, 5000), 0);
    server_check_clean(s);
}

static void test_socket_file(void **state)
{
    struct server *s = *state;
    struct stat st;
    char path[4200];

    start(s);
    assert_int_equal(stat(server_path(s, "run/lpm.sock", path, sizeof(path)), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    server_stop(s);
    assert_int_equal(stat(path, &st), -1);
    server_conf(s, "control off;\n" SERVER_MODULES
                   "http { listen 127.0.0.1:0; location / { handler hello; } }\n");
    server_start(s, NULL);
    assert_int_equal(stat(path, &st), -1);
    ctl(s, 3, "", "control off", "health", NULL);
    server_stop(s);
}

/* -- Clients that are not lpmctl ---------------------------------------------------------------------- */

static int open_socket(struct server *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[4200];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {10, 0};

    /* The path may be longer than an address holds. */
    server_path(s, "run", path, sizeof(path));
    assert_true(fd >= 0);
    char here[4096];
    assert_non_null(getcwd(here, sizeof(here)));
    assert_int_equal(chdir(path), 0);
    strcpy(address.sun_path, "lpm.sock");
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(chdir(here), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    return fd;
}

static void say(int fd, const char *text)
{
    send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void hear(int fd, const char *part)
{
    char room[4096];
    ssize_t n = recv(fd, room, sizeof(room) - 1, 0);

    assert_true(n > 0);
    room[n] = '\0';
    if (strstr(room, part) == NULL) {
        fail_msg("\"%s\", expected to hold \"%s\"", room, part);
    }
}

static void test_rubbish(void **state)
{
    static const char *const lines[][2] = {
        {"\n", "LPM_EPROTO"},
        {"rubbish\n", "LPM_EPROTO"},
        {"[]\n", "LPM_EPROTO"},
        {"{}\n", "LPM_EINVAL"},
        {"{\"command\":1}\n", "LPM_EINVAL"},
        {"{\"command\":\"nothing\"}\n", "no command \\\"nothing\\\""},
        {"{\"command\":\"enqueue\"}\n", "LPM_EINVAL"},
        {"{\"command\":\"enqueue\",\"handler\":\"echo\",\"data\":1}\n", "LPM_EINVAL"},
        {"{\"command\":\"enqueue\",\"handler\":\"echo\",\"data_base64\":\"*\"}\n", "LPM_EINVAL"},
        {"{\"command\":\"enqueue\",\"handler\":\"echo\",\"headers\":[[1]]}\n", "LPM_EINVAL"},
        {"{\"command\":\"enqueue\",\"handler\":\"echo\",\"headers\":[[\"a\",\"b\\nc\"]]}\n", "LPM_EINVAL"},
        {"{\"command\":\"broadcast\"}\n", "LPM_EINVAL"},
        {"{\"command\":\"resize\",\"count\":99999999999}\n", "LPM_EINVAL"},
        {"{\"command\":\"status\"}\n", "\"ok\":true"},
    };
    struct server *s = *state;
    int fd;

    start(s);
    fd = open_socket(s);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        print_message("%s", lines[i][0]);
        say(fd, lines[i][0]);
        hear(fd, lines[i][1]);
    }
    say(fd, "{\"command\":\"status\"}\n{\"command\":\"nothing\"}\n"); /* two at once */
    hear(fd, "\"ok\":true");
    close(fd);
    server_stop(s);
}

/* Endless lines, unread answers, a hundred at once: HTTP goes on, and the bus stays as it was. */
static void test_hostile(void **state)
{
    struct server *s = *state;
    static char block[65536];
    int fds[CLIENTS], endless, deaf;
    ssize_t n = 0;

    start(s);
    memset(block, 'x', sizeof(block));
    endless = open_socket(s);
    for (size_t sent = 0; sent < 32u * 1024 * 1024; sent += (size_t)n) {
        n = send(endless, block, sizeof(block), MSG_NOSIGNAL);
        if (n < 0) {
            break;
        }
    }
    assert_int_equal(n, -1); /* it was closed */
    close(endless);
    deaf = open_socket(s);
    for (int i = 0; i < 2000; i++) {
        if (send(deaf, "{\"command\":\"health\"}\n", 21, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            break;
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = open_socket(s);
        say(fds[i], "{\"command\":\"status\"}\n");
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    }
    for (int i = 0; i < CLIENTS; i++) {
        hear(fds[i], "\"ok\":true");
        close(fds[i]);
    }
    close(deaf);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    assert_int_equal(server_log_count(s, "died of"), 0);
    server_stop(s);
}

/* A client that goes while its command runs. */
static void test_client_gone(void **state)
{
    struct server *s = *state;
    int fd;

    start(s);
    for (int i = 0; i < 20; i++) {
        fd = open_socket(s);
        say(fd, "{\"command\":\"enqueue\",\"handler\":\"seed\",\"data\":\"hold 30\"}\n");
        close(fd);
    }
    ctl(s, 0, "held", "", "enqueue", "seed", "hold 60", NULL);
    server_stop(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {TEST(test_commands), TEST(test_enqueue),     TEST(test_usage),
                                       TEST(test_kills),    TEST(test_socket_file), TEST(test_rubbish),
                                       TEST(test_hostile),  TEST(test_client_gone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
