/*
 * kill -9 and SIGSTOP of any process at any moment: what was asked is answered, once, and what was killed is replaced.
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
#include "crowd.h"
#include "server.h"
#include "wait.h"
#include "wrk.h"

#define KILL_EVERY_MS 200
#define GONE_MS       5000 /* from a SIGKILL to the end, at most */
#ifdef SERVER_SANITIZED
#define RUN_SECONDS 5
#define WANTED      1000
#else
#define RUN_SECONDS 10
#define WANTED      200000
#endif
#define RUNS_MAX    6 /* of wrk, until there are as many requests as wanted */
#define CONNECTIONS 64
#define UUID_LEN    36

/* -- Workers, under load ------------------------------------------------------------------------------- */

/* Kills a process and sees it end: else it could be killed, and counted, twice. */
static size_t kill_one(pid_t pid)
{
    int pidfd = wait_open(pid);
    size_t killed = 0;

    if (pidfd >= 0) {
        killed = kill(pid, SIGKILL) == 0;
        assert_true(wait_gone(pidfd, wait_until(GONE_MS)));
        close(pidfd);
    }
    return killed;
}

/* Kills a worker every 200 ms until wrk has ended; returns how many. */
static size_t kill_workers(struct server *s, const struct wrk *w)
{
    uint64_t next = wait_until(KILL_EVERY_MS);
    size_t kills = 0;

    while (!wait_gone(w->run.pidfd, next)) {
        pid_t pids[SERVER_PIDS_MAX];
        size_t count = server_pids(s, "worker", pids, SERVER_PIDS_MAX);
        if (count > 0) {
            kills += kill_one(pids[(size_t)rand() % count]);
        }
        next += (uint64_t)KILL_EVERY_MS * 1000000;
    }
    return kills;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The request's id, which follows the quoted fields; NULL: there is none. Cuts the line behind it. */
static char *id_of(char *line)
{
    char *at = strrchr(line, '"');

    if (at == NULL || strlen(at) < 2 + UUID_LEN || at[2 + 8] != '-') {
        return NULL;
    }
    at[2 + UUID_LEN] = '\0';
    return at + 2;
}

/* The ledger: every line of the access log says 200, or 499 for at most `left_max` that were open when their client ended,
 * and no id stands there twice. Returns the number of lines with 200. */
static size_t check_ledger(const struct server *s, size_t left_max)
{
    char path[4200], *log = run_read_file(server_path(s, "logs/access.log", path, sizeof(path))), *end;
    size_t count = 0, left = 0;
    char **ids;

    assert_non_null(log);
    end = log + strlen(log);
    ids = calloc((size_t)(end - log) / UUID_LEN + 1, sizeof(*ids));
    assert_non_null(ids);
    /* memchr(): under AddressSanitizer strchr() looks at the whole rest, each time. */
    for (char *line = log, *next; line < end; line = next) {
        next = memchr(line, '\n', (size_t)(end - line));
        assert_non_null(next);
        *next++ = '\0';
        left += strstr(line, "\" 499 0 ") != NULL;
        if ((strstr(line, "\" 200 6 ") == NULL && strstr(line, "\" 499 0 ") == NULL) ||
            (ids[count] = id_of(line)) == NULL) {
            fail_msg("not a good line: %s", line);
        }
        count++;
    }
    qsort(ids, count, sizeof(*ids), compare_ids);
    for (size_t i = 1; i < count; i++) {
        assert_string_not_equal(ids[i - 1], ids[i]);
    }
    free(ids);
    free(log);
    assert_in_range(left, 0, left_max);
    return count - left;
}

static void test_workers_under_load(void **state)
{
    struct server *s = *state;
    uint64_t requests = 0;
    size_t kills = 0;

    server_conf(s, SERVER_MODULES
                "request { retries 3; }\n"
                "worker { count 3; restarts 1000; }\n"
                "http { listen 127.0.0.1:0; access_log logs/access.log; location / { handler hello; } }\n");
    server_start(s, NULL);
    for (int i = 0; i < RUNS_MAX && requests < WANTED; i++) {
        struct wrk w;
        wrk_start(&w, server_port(s), "/", CONNECTIONS, RUN_SECONDS, NULL);
        kills += kill_workers(s, &w);
        wrk_finish(&w);
        print_message("%s%zu workers killed\n", w.run.out, kills);
        assert_int_equal(w.errors, 0);
        assert_int_equal(wrk_socket_errors(&w), 0);
        requests += w.requests;
        run_free(&w.run);
    }
    assert_true(requests >= WANTED);
    assert_true(kills >= RUN_SECONDS * 1000 / KILL_EVERY_MS / 2);

    /* The last one killed may not have been reaped yet. */
    server_wait_log_count(s, "died of SIGKILL: ", kills, 5000);
    assert_int_equal(server_log_count(s, SERVER_DEATH), kills);
    server_stop(s);
    assert_true(check_ledger(s, (size_t)RUNS_MAX * CONNECTIONS) >= requests);
}

/* -- Master and bus ------------------------------------------------------------------------------------ */

static void start_two(struct server *s, const char *more)
{
    server_conf(s,
                SERVER_MODULES "%s\n"
                               "http { listen 127.0.0.1:0; location / { handler hello; } }\n",
                more);
    server_start(s, NULL);
}

/* Opens the processes of that role. */
static size_t open_processes(const struct server *s, const char *role, int *pidfds)
{
    pid_t pids[SERVER_PIDS_MAX];
    size_t count = server_pids(s, role, pids, SERVER_PIDS_MAX);

    for (size_t i = 0; i < count; i++) {
        pidfds[i] = wait_open(pids[i]);
        assert_true(pidfds[i] >= 0);
    }
    return count;
}

/* All have to end before the deadline. */
static void check_gone(int *pidfds, size_t count, uint64_t deadline)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(wait_gone(pidfds[i], deadline));
        close(pidfds[i]);
    }
}

static void test_master(void **state)
{
    struct server *s = *state;
    int pidfds[SERVER_PIDS_MAX] = {0};
    size_t count;

    start_two(s, "worker { count 2; }");
    count = open_processes(s, NULL, pidfds);
    assert_int_equal(count, 4);
    server_signal(s, SIGKILL);
    check_gone(pidfds, count, wait_until(1000));
    server_wait_exit(s, 1000);

    /* Its pid file and directory are no hindrance, and are gone in the end. */
    server_start(s, NULL);
    assert_int_equal(client_get(server_port(s), "/", NULL), 200);
    server_stop(s);
}

static void test_master_while_starting(void **state)
{
    struct server *s = *state;
    int pidfds[SERVER_PIDS_MAX] = {0};

    server_conf(s, SERVER_MODULES "worker { count 4; }\n"
                                  "http { listen 127.0.0.1:0; location / { handler hello; } }\n");
    for (int i = 0; i < 10; i++) {
        size_t count;
        server_launch(s, NULL);
        /* At another moment each time: from before its first fork to when all are up. */
        wait_gone(s->pidfd, wait_until(i * 8));
        count = open_processes(s, NULL, pidfds);
        server_signal(s, SIGKILL);
        server_wait_exit(s, 1000);
        check_gone(pidfds, count, wait_until(1000));
        count = open_processes(s, NULL, pidfds);
        check_gone(pidfds, count, wait_until(1000));
    }
    server_start(s, NULL);
    server_stop(s);
}

static void test_bus(void **state)
{
    enum { CLIENTS = 20 };
    struct server *s = *state;
    struct client clients[CLIENTS];
    int workers[SERVER_PIDS_MAX] = {0}, bus[SERVER_PIDS_MAX] = {0}, port;
    size_t count;

    start_two(s, "worker { count 2; }");
    port = server_port(s);
    count = open_processes(s, "worker", workers);
    assert_int_equal(open_processes(s, "bus", bus), 1);
    server_mark(s);
    kill(server_pid(s, "bus"), SIGKILL);
    check_gone(bus, 1, wait_until(1000));
    for (size_t i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], port);
        client_request(&clients[i], "GET", "/", "", "", 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(client_status(&clients[i], CLIENT_MS), 200);
        client_close(&clients[i]);
    }
    server_wait_log(s, "is online: generation 2", SERVER_START_MS);
    check_gone(workers, count, wait_until(1000));
    assert_int_equal(server_pids(s, "worker", (pid_t[SERVER_PIDS_MAX]){0}, SERVER_PIDS_MAX), 2);
    server_pid(s, "bus gen 2");
    server_stop(s);
}

static void test_all_workers_at_once(void **state)
{
    struct server *s = *state;
    pid_t pids[SERVER_PIDS_MAX];
    size_t count;

    start_two(s, "worker { count 4; restarts 1000; }");
    for (int round = 0; round < 3; round++) {
        count = server_pids(s, "worker", pids, SERVER_PIDS_MAX);
        server_mark(s);
        for (size_t i = 0; i < count; i++) {
            kill(pids[i], SIGKILL);
        }
        assert_int_equal(client_get(server_port(s), "/", NULL), 200);
        server_wait_log_count(s, "died of SIGKILL: ", count, 5000);
    }
    server_stop(s);
}

/* -- SIGSTOP ------------------------------------------------------------------------------------------- */

static void test_stopped_worker(void **state)
{
    struct server *s = *state;
    struct client c;
    size_t late = 0;
    int pidfd;

    start_two(s, "request { timeout 400ms; }\nworker { count 2; kill_after 400ms; }");
    pidfd = wait_open(server_pid(s, "worker default/0"));
    server_mark(s);
    kill(server_pid(s, "worker default/0"), SIGSTOP);

    /* It may have been given one request, which times out. All others go on. */
    client_open(&c, server_port(s));
    for (int i = 0; i < 200; i++) {
        int status;
        client_request(&c, "GET", "/", "", "", 0);
        status = client_status(&c, CLIENT_MS);
        assert_true(status == 200 || status == 504);
        late += status == 504;
    }
    assert_true(late <= 1);
    client_close(&c);

    if (late == 1) {
        assert_true(wait_gone(pidfd, wait_until(5000)));
        server_wait_log(s, "died of SIGKILL: ", 5000);
    } else {
        kill(server_pid(s, "worker default/0"), SIGCONT);
    }
    close(pidfd);
    server_stop(s);
}

static void test_stopped_worker_at_the_end(void **state)
{
    struct server *s = *state;
    uint64_t deadline;

    start_two(s, "worker { count 2; drain_timeout 500ms; }");
    kill(server_pid(s, "worker default/0"), SIGSTOP);
    deadline = wait_until(5000);
    server_signal(s, SIGQUIT);
    server_wait_exit(s, wait_left(deadline));
    server_check_clean(s);

    server_start(s, NULL);
    kill(server_pid(s, "worker default/1"), SIGSTOP);
    kill(server_pid(s, "bus"), SIGSTOP);
    server_stop(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_workers_under_load),        TEST(test_master),
        TEST(test_master_while_starting),     TEST(test_bus),
        TEST(test_all_workers_at_once),       TEST(test_stopped_worker),
        TEST(test_stopped_worker_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
