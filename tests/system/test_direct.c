/*
 * HTTP in the worker (`listen ADDRESS handoff`): what clients see is what they see of the bus, and what differs is what
 * docs/http.md says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"
#include "ctl.h"
#include "fail.h"
#include "misdeed.h"
#include "server.h"
#include "wait.h"
#include "wrk.h"

#ifdef SERVER_SANITIZED /* it keeps what is freed for a while */
#define LARGE  33554432L
#define GROWTH 16384
#else
#define LARGE  268435456L
#define GROWTH 8192 /* kB */
#endif

#define RELOAD_MS 20000

static void configure(struct server *s, const char *worker, const char *listen)
{
    server_conf(s,
                SERVER_MODULES SERVER_MISDEED
                "load_module tmodules/relay.so;\n"
                "load_module tmodules/seed.so;\n"
                "worker { %s }\n"
                "http {\n"
                "    listen 127.0.0.1:0 handoff;\n"
                "    %s\n"
                "    access_log logs/access.log;\n"
                "    max_body_size 1g;\n"
                "    location /hello { handler hello; }\n"
                "    location /echo { handler echo; }\n"
                "    location /small { handler echo; max_body_size 10; }\n"
                "    location /seed { handler seed; }\n"
                "    location /copy { handler relay; }\n"
                "    location /misdeed { handler misdeed; timeout 30s; }\n"
                "    location /misdeed/soon { handler misdeed; timeout 300ms; }\n"
                "}\n",
                worker, listen);
}

static void start(struct server *s, const char *worker)
{
    configure(s, worker, "");
    server_start(s, NULL);
}

/* A connection on which `GET /hello` was answered. */
static void greet(const struct server *s, struct client *c)
{
    client_open(c, server_port(s));
    client_request(c, "GET", "/hello", "", NULL, 0);
    assert_int_equal(client_status(c, CLIENT_MS), 200);
}

/* The TCP connections of a process, and how many of them wait for no acknowledgement. False: we may not look. */
static bool look_at_connections(pid_t pid, int *count, int *undelayed)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0), fd = -1, error = 0;

    assert_true(process >= 0);
    *count = *undelayed = 0;
    for (int number = 0; number < 256 && (fd >= 0 || error != EPERM); number++) {
        int listens = 1, undelays = 0;
        socklen_t len = sizeof(int);

        fd = (int)syscall(SYS_pidfd_getfd, process, number, 0);
        error = errno;
        if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && !listens &&
            getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &undelays, &len) == 0) {
            ++*count;
            *undelayed += undelays != 0;
        }
        close(fd);
    }
    close(process);
    return fd >= 0 || error != EPERM;
}

/* The pid of the worker that has it. */
static pid_t pid_of(struct client *c)
{
    struct response r;
    pid_t pid;

    client_request(c, "GET", MISDEED("pid"), "", NULL, 0);
    client_read(c, &r, CLIENT_MS);
    assert_int_equal(r.status, 200);
    pid = (pid_t)strtol(r.body, NULL, 10);
    client_forget(&r);
    return pid;
}

/* -- What clients get --------------------------------------------------------------------------------- */

static void test_plain(void **state)
{
    struct server *s = *state;
    struct client c;
    struct response r;
    char room[64], *log;

    start(s, "count 1;");
    client_open(&c, server_port(s));
    for (int i = 0; i < 3; i++) { /* the connection stays */
        client_request(&c, "POST", "/echo?headers", "X-A: b\r\n", "hi", 2);
        client_read(&c, &r, CLIENT_MS);
        assert_int_equal(r.status, 200);
        assert_non_null(strstr(r.body, ":method: POST\n:path: /echo?headers\n:scheme: http\n"));
        assert_non_null(strstr(r.body, "\n:remote: 127.0.0.1:"));
        assert_non_null(strstr(r.body, "\nx-a: b\n"));
        assert_int_equal(strlen(client_field(&r, "x-request-id", room, sizeof(room))), 36);
        client_forget(&r);
    }
    assert_int_equal(pid_of(&c), server_pid(s, "worker"));
    client_close(&c);
    server_stop(s);
    log = run_read_file(server_path(s, "logs/access.log", (char[4200]){0}, 4200));
    assert_int_equal(run_count(log, "\"POST /echo?headers HTTP/1.1\" 200 "), 3);
    assert_int_equal(run_count(log, " default/0 0."), 4);
    free(log);
}

static void test_errors(void **state)
{
    struct server *s = *state;
    struct client c;

    start(s, "count 1;");
    assert_int_equal(client_get(server_port(s), "/nowhere", NULL), 404);
    assert_int_equal(client_once(server_port(s), "POST", "/small", "", "01234567890", 11, NULL), 413);
    assert_int_equal(client_get(server_port(s), "/misdeed/soon?wait=600", NULL), 504);
    assert_int_equal(client_get(server_port(s), "/misdeed/soon?sleep=400", NULL), 504);
    client_open(&c, server_port(s));
    client_text(&c, "GET / HTTP/1.1\r\nNo host\r\n\r\n");
    assert_int_equal(client_status(&c, CLIENT_MS), 400);
    assert_true(client_closed(&c, CLIENT_MS));
    client_close(&c);
    server_stop(s);
}

/* Sent ahead, answered in order; between them a large one, one that is answered later, and one whose body is chunked. */
static void test_pipelining(void **state)
{
    static const char requests[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "GET /misdeed?big=3000000 HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "GET /misdeed?wait=50 HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                   "5\r\nchunk\r\n0\r\n\r\n"
                                   "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    static const struct {
        int status;
        size_t len;
        const char *body;
    } answers[] = {{200, 6, "hello\n"}, {200, 3000000, NULL}, {200, 7, "waited\n"},
                   {200, 5, "chunk"},   {404, 0, NULL},       {200, 6, "hello\n"}};
    struct server *s = *state;
    struct client c;

    start(s, "count 1;");
    client_open(&c, server_port(s));
    client_text(&c, requests);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct response r;
        client_read(&c, &r, CLIENT_MS);
        assert_int_equal(r.status, answers[i].status);
        assert_false(r.broken);
        if (answers[i].len) {
            assert_int_equal(r.len, answers[i].len);
        }
        if (answers[i].body) {
            assert_string_equal(r.body, answers[i].body);
        }
        client_forget(&r);
    }
    assert_true(client_closed(&c, CLIENT_MS));
    client_close(&c);
    server_stop(s);
}

/* `size` bytes up and down again by curl: both sums have to be one. */
static void up_and_down(struct server *s, const char *path, long size)
{
    char *script = NULL;
    struct run run;

    assert_true(asprintf(&script,
                         "set -e; cd '%s'; seq 1 200000000 2> err | head -c %ld > up; "
                         "curl -sS -T - http://127.0.0.1:%d%s < up > down; cmp up down; rm up down",
                         s->prefix, size, server_port(s), path) > 0);
    run_command(&run, 120000, (const char *const[]){"bash", "-c", script, NULL});
    if (run_exit(&run) != 0) {
        fail_test("%s: %d: %s%s", path, run_exit(&run), run.out, run.err);
    }
    run_free(&run);
    free(script);
}

/* A body up and an answer down at once, on the loop that the handler works on, too; and the worker stays small. */
static void test_streams(void **state)
{
    static const char order[] = "answer-stream 1000000";
    struct server *s = *state;
    struct response r;
    long before;

    start(s, "count 1;");
    up_and_down(s, "/copy", 1000000);
    up_and_down(s, "/echo", 1000000);
    before = server_peak_kb(server_pid(s, "worker"));
    up_and_down(s, "/copy", LARGE);
    up_and_down(s, "/echo", LARGE);
    assert_true(server_peak_kb(server_pid(s, "worker")) < before + GROWTH);
    assert_int_equal(client_once(server_port(s), "POST", "/seed", "", order, strlen(order), &r), 200);
    assert_false(r.broken);
    assert_int_equal(r.len, 1000000 + strlen("head:"));
    client_forget(&r);
    server_stop(s);
}

/* -- Which worker, and how many ----------------------------------------------------------------------- */

struct wanted {
    unsigned each; /* connections of each worker */
    uint64_t requests;
};

static bool is_spread(const struct ctl_worker *list, size_t count, const void *arg)
{
    const struct wanted *wanted = arg;
    uint64_t requests = 0;

    for (size_t i = 0; i < count; i++) {
        requests += list[i].requests;
        if (list[i].sockets != wanted->each) {
            return false;
        }
    }
    return requests == wanted->requests;
}

/* The worker with the fewest gets the next; what is answered directly counts as a request, and so does each hand-off. */
static void test_spread(void **state)
{
    struct server *s = *state;
    struct client c[12];
    struct ctl_worker list[8];
    struct wanted full = {3, 24}, empty = {0, 24};

    start(s, "count 4;");
    for (size_t i = 0; i < 12; i++) {
        greet(s, &c[i]);
    }
    ctl_health_until(s, list, 8, "three connections each", is_spread, &full);
    for (size_t i = 0; i < 12; i++) {
        client_close(&c[i]);
    }
    ctl_health_until(s, list, 8, "no connection is left", is_spread, &empty);
    server_stop(s);
}

/* -- When something goes wrong ------------------------------------------------------------------------ */

/* The death of a worker ends its connections, and nobody else's. */
static void test_crash(void **state)
{
    struct server *s = *state;
    struct client one, same, other;
    pid_t pid;

    start(s, "count 2;");
    greet(s, &one);
    greet(s, &other);
    greet(s, &same);
    pid = pid_of(&one);
    if (pid_of(&same) != pid) { /* the first and the third, or the second and the third */
        struct client swap = one;
        one = other;
        other = swap;
        pid = pid_of(&one);
    }
    assert_int_equal(pid_of(&same), pid);
    assert_int_not_equal(pid_of(&other), pid);
    client_request(&one, "GET", MISDEED("crash"), "", NULL, 0);
    assert_true(client_closed(&one, CLIENT_MS));
    assert_true(client_closed(&same, CLIENT_MS));
    assert_non_null(
        strstr(server_wait_log(s, SERVER_DEATH, CLIENT_MS), "a request of a connection of its own"));
    assert_int_not_equal(pid_of(&other), pid);
    client_close(&one);
    client_close(&same);
    greet(s, &one);
    client_close(&one);
    client_close(&other);
    server_stop(s);
}

/* A handler that hangs is noticed by its time limit; one that is merely slow is left alone. */
static void test_hang(void **state)
{
    struct server *s = *state;
    struct client c, slow;

    start(s, "count 2; kill_after 300ms;");
    greet(s, &c);
    greet(s, &slow);
    client_request(&slow, "GET", MISDEED_SLEEP("1500"), "", NULL, 0);
    client_request(&c, "GET", "/misdeed/soon?loop", "", NULL, 0);
    assert_true(client_closed(&c, CLIENT_MS));
    server_wait_log(s, "its handler does not come back", CLIENT_MS);
    assert_int_equal(client_status(&slow, CLIENT_MS), 200);
    client_close(&c);
    client_close(&slow);
    server_stop(s);
}

/* -- The end ------------------------------------------------------------------------------------------ */

static void test_soft_kill(void **state)
{
    struct server *s = *state;
    struct client idle, busy, next;
    struct response r;
    char room[16];
    char *log;

    start(s, "count 1;");
    greet(s, &idle);
    greet(s, &busy);
    greet(s, &next);
    client_request(&busy, "GET", MISDEED("wait=800"), "", NULL, 0);
    server_signal(s, SIGQUIT);
    client_request(&next, "GET", "/hello", "", NULL, 0);
    assert_int_equal(client_status(&next, CLIENT_MS), 200);
    client_read(&busy, &r, CLIENT_MS);
    assert_int_equal(r.status, 200);
    assert_string_equal(client_field(&r, "connection", room, sizeof(room)), "close");
    client_forget(&r);
    assert_true(client_closed(&idle, CLIENT_MS));
    assert_true(client_closed(&busy, CLIENT_MS));
    assert_true(client_closed(&next, CLIENT_MS));
    client_close(&idle);
    client_close(&busy);
    client_close(&next);
    assert_int_equal(server_wait_exit(s, SERVER_STOP_MS), 0);
    server_check_clean(s);
    log = run_read_file(server_path(s, "logs/access.log", (char[4200]){0}, 4200));
    assert_int_equal(run_count(log, "\n"), 5);
    free(log);
}

/* A hard kill writes what the access log holds. */
static void test_hard_kill(void **state)
{
    struct server *s = *state;
    struct client c;
    char *log;

    start(s, "count 1;");
    greet(s, &c);
    client_request(&c, "GET", MISDEED("wait=60000"), "", NULL, 0);
    server_stop(s);
    assert_true(client_closed(&c, CLIENT_MS));
    client_close(&c);
    log = run_read_file(server_path(s, "logs/access.log", (char[4200]){0}, 4200));
    assert_int_equal(run_count(log, "\"GET /hello HTTP/1.1\" 200 "), 1);
    free(log);
}

static size_t count_lines(const struct server *s, const char *name)
{
    char path[4200];
    char *log = run_read_file(server_path(s, name, path, sizeof(path)));
    size_t count;

    assert_non_null(log);
    count = run_count(log, "\"GET /hello HTTP/1.1\" 200 ");
    free(log);
    return count;
}

/* The workers write to the new access log, those of before and those that are started later. */
static void test_reopen(void **state)
{
    struct server *s = *state;
    char old[4200], new[4200];
    struct client c;
    uint64_t deadline;
    pid_t pid;

    start(s, "count 1;");
    greet(s, &c);
    pid = pid_of(&c);
    assert_int_equal(rename(server_path(s, "logs/access.log", old, sizeof(old)),
                            server_path(s, "logs/access.1", new, sizeof(new))),
                     0);
    ctl(s, 0, "", "reopen", NULL);
    client_request(&c, "GET", "/hello", "", NULL, 0);
    assert_int_equal(client_status(&c, CLIENT_MS), 200);
    deadline = wait_until(CLIENT_MS);
    while (count_lines(s, "logs/access.log") == 0) { /* it is written after a second */
        assert_true(wait_left(deadline) > 0);
        usleep(10000);
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_true(client_closed(&c, CLIENT_MS));
    client_close(&c);
    greet(s, &c);
    client_close(&c);
    server_stop(s);
    assert_true(count_lines(s, "logs/access.log") >= 2);
    assert_int_equal(count_lines(s, "logs/access.1") + count_lines(s, "logs/access.log"), 3);
}

static void check_load(const struct wrk *w)
{
    if (w->requests == 0 || w->errors > 0 || wrk_socket_errors(w) > 0) {
        fail_test("%llu requests, %llu errors, %llu socket errors", (unsigned long long)w->requests,
                  (unsigned long long)w->errors, (unsigned long long)wrk_socket_errors(w));
    }
}

static bool is_loaded(const struct ctl_worker *list, size_t count, const void *arg)
{
    unsigned sockets = 0;

    (void)arg;
    for (size_t i = 0; i < count; i++) {
        sockets += list[i].sockets;
    }
    return sockets > 20;
}

/* Load, and a reload in it: no request fails, and new connections go to the new generation. */
static void test_reload(void **state)
{
    struct server *s = *state;
    struct ctl_worker list[8];
    struct client c;
    struct wrk w;
    pid_t old;

    start(s, "count 2; drain_timeout 10s;");
    greet(s, &c);
    old = pid_of(&c);
    wrk_start(&w, server_port(s), "/hello", 20, 4, NULL);
    ctl_health_until(s, list, 8, "wrk is there", is_loaded, NULL);
    server_mark(s);
    server_signal(s, SIGHUP);
    server_wait_log(s, " is online: generation", RELOAD_MS);
    server_wait_log(s, "generation 1 has ended", RELOAD_MS);
    assert_true(client_closed(&c, CLIENT_MS));
    client_close(&c);
    greet(s, &c);
    assert_int_not_equal(pid_of(&c), old);
    client_close(&c);
    wrk_finish(&w);
    check_load(&w);
    assert_true(w.requests > 100);
    run_free(&w.run);
    server_stop(s);
}

static void test_load(void **state)
{
    struct server *s = *state;
    struct wrk w;

    start(s, "count 2;");
    wrk_start(&w, server_port(s), "/hello", 64, 2, NULL);
    wrk_finish(&w);
    check_load(&w);
    assert_true(w.requests > 100);
    run_free(&w.run);
    server_stop(s);
}

/* -- The configuration -------------------------------------------------------------------------------- */

static void test_pools(void **state)
{
    struct server *s = *state;
    struct run run;
    struct client c;

    configure(s, "count 1; }\nworker other { handler echo; handler hello;", "");
    server_command(s, &run, "-t", NULL);
    assert_int_equal(run_exit(&run), 1);
    assert_non_null(strstr(run.err, "\"http\" is in the pool \"default\", and \""));
    assert_non_null(strstr(run.err, "in \"other\": expected all of them in one pool in "));
    run_free(&run);

    configure(
        s,
        "count 1; }\nworker other { count 1; handler echo; handler hello; handler http; handler misdeed; "
        "handler relay; handler seed;",
        "listen 127.0.0.1:0;");
    server_start(s, NULL);
    greet(s, &c);
    assert_int_equal(pid_of(&c), server_pid(s, "worker other/0"));
    client_close(&c);
    server_stop(s);
}

/* Connections have that from their listener, in the bus as in a worker. */
static void test_no_delay(void **state)
{
    struct server *s = *state;
    struct client direct, through;
    int count, undelayed;

    configure(s, "count 1;", "listen 127.0.0.1:0;");
    server_start(s, NULL);
    greet(s, &direct);
    client_open(&through, s->ports[1]);
    client_request(&through, "GET", "/hello", "", NULL, 0);
    assert_int_equal(client_status(&through, CLIENT_MS), 200);
    for (int i = 0; i < 2; i++) {
        if (!look_at_connections(server_pid(s, i == 0 ? "bus" : "worker"), &count, &undelayed)) {
            skip();
        }
        assert_int_equal(count, 1);
        assert_int_equal(undelayed, 1);
    }
    client_close(&direct);
    client_close(&through);
    server_stop(s);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_plain),  CASE(test_errors), CASE(test_pipelining), CASE(test_streams),   CASE(test_spread),
        CASE(test_crash),  CASE(test_hang),   CASE(test_soft_kill),  CASE(test_hard_kill), CASE(test_reopen),
        CASE(test_reload), CASE(test_load),   CASE(test_pools),      CASE(test_no_delay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
