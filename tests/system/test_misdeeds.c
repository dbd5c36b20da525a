/*
 * Whatever a handler does harms only its own request: 50 innocent connections run beside each misdeed, and every one of
 * their requests is answered with 200.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "crowd.h"
#include "misdeed.h"
#include "server.h"
#include "wait.h"

static void start(struct server *s, const char *worker)
{
    char journal[4200];

    /* Whoever the workers run as writes there. */
    server_write(s, "journal", "");
    chmod(server_path(s, "journal", journal, sizeof(journal)), 0666);
    server_conf(s,
                SERVER_MODULES SERVER_MISDEED "misdeed_journal journal;\n"
                                              "request { retries 0; }\n"
                                              "worker { count 2; restarts 1000; kill_after 300ms; %s }\n"
                                              "http {\n"
                                              "    listen 127.0.0.1:0;\n"
                                              "    location /hello { handler hello; retries 3; }\n"
                                              "    location /misdeed { handler misdeed; }\n"
                                              "    location /again { handler misdeed; retries 1; }\n"
                                              "    location /brief { handler misdeed; timeout 300ms; }\n"
                                              "}\n",
                worker);
    server_start(s, NULL);
}

/* How often the journal says that a handler was started with `tag`. */
static size_t journal_count(const struct server *s, const char *tag)
{
    char path[4200], *text = run_read_file(server_path(s, "journal", path, sizeof(path)));
    size_t count;

    assert_non_null(text);
    count = run_count(text, tag);
    free(text);
    return count;
}

/* Sends it beside the crowd; returns its status (0: no answer, the connection closed). */
static int misdeed(struct server *s, const char *method, const char *target)
{
    struct crowd crowd;
    struct client c;
    int status;

    crowd_open(&crowd, server_port(s));
    crowd_send(&crowd);
    client_open(&c, server_port(s));
    client_request(&c, method, target, "", "", 0);
    crowd_check(&crowd);
    crowd_until(&crowd, &c, CLIENT_MS);
    status = client_status(&c, CLIENT_MS);
    client_close(&c);
    /* And what comes after it. */
    for (int i = 0; i < 5; i++) {
        crowd_send(&crowd);
        crowd_check(&crowd);
    }
    crowd_close(&crowd);
    return status;
}

/* -- Deaths -------------------------------------------------------------------------------------------- */

static void check_death(struct server *s, const char *target, const char *death)
{
    start(s, "");
    for (size_t i = 1; i <= 3; i++) {
        assert_int_equal(misdeed(s, "GET", target), 502);
        server_wait_log_count(s, death, i, 5000);
    }
    assert_int_equal(server_log_count(s, SERVER_DEATH), 3);
    server_stop(s);
}

/* What becomes of the request itself is open: its answer may have been sent before. */
static void check_killed(struct server *s, const char *target)
{
    int status;

    start(s, "");
    status = misdeed(s, "GET", target);
    assert_true(status == 200 || status == 502);
    server_wait_log(s, SERVER_DEATH, 5000);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_stop(s);
}

static void test_crash(void **state)
{
    check_death(*state, MISDEED("crash"), "died of SIGSEGV: ");
}

static void test_abort(void **state)
{
    check_death(*state, MISDEED("abort"), "died of SIGABRT: ");
}

static void test_exit(void **state)
{
    check_death(*state, MISDEED("exit=0"), "exited with status 0: ");
}

/* The worker breaks the rules of the channel: it is killed for that, as if it had crashed. */
static void test_rubbish(void **state)
{
    check_killed(*state, MISDEED("rubbish"));
}

static void test_scribbles(void **state)
{
    check_killed(*state, MISDEED("scribble"));
}

static void test_closes_all(void **state)
{
    check_killed(*state, MISDEED("close"));
}

/* Its own request is answered by then. */
static void test_crash_in_a_timer(void **state)
{
    struct server *s = *state;

    start(s, "");
    assert_int_equal(misdeed(s, "GET", MISDEED("timer-crash=20")), 200);
    server_wait_log(s, "died of SIGSEGV: ", 5000);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_stop(s);
}

static void test_started_post_is_not_repeated(void **state)
{
    struct server *s = *state;

    start(s, "");
    assert_int_equal(misdeed(s, "POST", "/again?crash+0+tag-post"), 502);
    assert_int_equal(journal_count(s, "tag-post"), 1);
    assert_int_equal(misdeed(s, "GET", "/again?crash+0+tag-get"), 500);
    assert_int_equal(journal_count(s, "tag-get"), 2);
    assert_int_equal(misdeed(s, "GET", "/misdeed?crash+0+tag-once"), 502);
    assert_int_equal(journal_count(s, "tag-once"), 1);
    server_stop(s);
}

static void test_poison(void **state)
{
    struct server *s = *state;

    /* Two workers, not one of the five that its retries would allow more. */
    server_conf(s, SERVER_MODULES SERVER_MISDEED
                "request { retries 6; poison_after 2; }\n"
                "worker { count 2; restarts 1000; }\n"
                "http { listen 127.0.0.1:0; location / { handler misdeed; } }\n");
    server_start(s, NULL);
    assert_int_equal(client_get(server_port(s), MISDEED("abort"), NULL), 500);
    server_wait_log_count(s, "died of SIGABRT: ", 2, 5000);
    server_stop(s);
    assert_int_equal(server_log_count(s, "died of SIGABRT: "), 2);
}

/* -- No answer in time --------------------------------------------------------------------------------- */

static void test_loop(void **state)
{
    struct server *s = *state;
    uint64_t deadline;

    start(s, "");
    deadline = wait_until(250);
    assert_int_equal(misdeed(s, "GET", "/brief?loop"), 504);
    assert_int_equal(wait_left(deadline), 0);
    server_wait_log(s, "died of SIGABRT: ", 5000);
    server_wait_log(s, "is killed", 1000);
    assert_int_equal(server_log_count(s, SERVER_DEATH), 1);
    server_stop(s);
}

static void test_never_responds(void **state)
{
    struct server *s = *state;
    pid_t before[SERVER_PIDS_MAX], after[SERVER_PIDS_MAX];

    /* One place each: was it not given back, the third would find none. */
    start(s, "concurrency 1;");
    server_pids(s, "worker", before, SERVER_PIDS_MAX);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(misdeed(s, "GET", "/brief?never"), 504);
    }
    assert_int_equal(server_pids(s, "worker", after, SERVER_PIDS_MAX), 2);
    assert_memory_equal(before, after, 2 * sizeof(*before));
    server_stop(s);
    assert_int_equal(server_log_count(s, "died of"), 0);
}

/* Its connection is reset, as that of a client that has died. */
static void hang_up(struct client *c)
{
    const struct linger at_once = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    client_close(c);
}

/* Without a time limit, a client that hangs up ends the wait: what its handler forgot takes nobody's place any more. */
static void test_forgotten_by_both(void **state)
{
    struct server *s = *state;
    struct client c[2];

    start(s, "concurrency 1;");
    for (size_t i = 0; i < 2; i++) {
        client_open(&c[i], server_port(s));
        client_request(&c[i], "GET", MISDEED("never"), "", "", 0);
    }
    for (uint64_t end = wait_until(CLIENT_MS); journal_count(s, "never") < 2;) {
        assert_true(wait_left(end) > 0);
        poll(NULL, 0, 10);
    }
    hang_up(&c[0]);
    hang_up(&c[1]);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_wait_log_count(s, "for which nobody waits: given up", 2, 5000);
    server_stop(s);
    assert_int_equal(server_log_count(s, "died of"), 0);
}

/* It sleeps past the time limit and then answers: too late for its client, in time for its worker. */
static void test_late(void **state)
{
    struct server *s = *state;

    start(s, "");
    assert_int_equal(misdeed(s, "GET", "/brief?sleep=450"), 504);
    assert_int_equal(misdeed(s, "GET", MISDEED_SLEEP("10")), 200);
    server_stop(s);
    assert_int_equal(server_log_count(s, "died of"), 0);
}

/* -- Misuse of the ABI --------------------------------------------------------------------------------- */

static void test_responds_twice(void **state)
{
    struct server *s = *state;

    start(s, "");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(misdeed(s, "GET", MISDEED("respond-twice")), 200);
    }
    server_wait_log(s, "answered already", 1000);
    server_stop(s);
    assert_int_equal(server_log_count(s, "died of"), 0);
}

/* Use after the answer is refused, as long as lpm can tell. */
static void test_used_after_the_answer(void **state)
{
    struct server *s = *state;

    start(s, "");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(misdeed(s, "GET", MISDEED("after-free")), 200);
    }
    server_stop(s);
    assert_int_equal(server_log_count(s, "died of"), 0);
}

static void test_leaks(void **state)
{
    struct server *s = *state;

    start(s, "");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(misdeed(s, "GET", MISDEED("leak=1000000")), 200);
    }
    server_stop(s);
    assert_int_equal(server_log_count(s, "died of"), 0);
}

/* All at once, many times: what a worker's death takes along is told apart from what it does not. */
static void test_all_at_once(void **state)
{
    static const struct {
        const char *target;
        int status;
    } misdeeds[] = {
        {MISDEED("crash"), 502}, {"/brief?loop", 504},  {MISDEED("respond-twice"), 200},
        {MISDEED("abort"), 502}, {"/brief?never", 504}, {MISDEED_SLEEP("50"), 200},
    };
    enum { COUNT = sizeof(misdeeds) / sizeof(*misdeeds) };
    struct server *s = *state;
    struct crowd crowd;
    struct client clients[COUNT];

    start(s, "");
    crowd_open(&crowd, server_port(s));
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            client_open(&clients[i], server_port(s));
            client_request(&clients[i], "GET", misdeeds[i].target, "", "", 0);
        }
        for (int i = 0; i < 10; i++) {
            crowd_send(&crowd);
            crowd_check(&crowd);
        }
        for (size_t i = 0; i < COUNT; i++) {
            int status = client_status(&clients[i], CLIENT_MS);
            /* One that had been started beside a crash or a loop may have gone down with it. */
            if (status != misdeeds[i].status && status != 502) {
                fail_msg("%s got %d, expected %d or 502", misdeeds[i].target, status, misdeeds[i].status);
            }
            client_close(&clients[i]);
        }
    }
    crowd_close(&crowd);
    server_stop(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_crash),
        TEST(test_abort),
        TEST(test_exit),
        TEST(test_rubbish),
        TEST(test_scribbles),
        TEST(test_closes_all),
        TEST(test_crash_in_a_timer),
        TEST(test_started_post_is_not_repeated),
        TEST(test_poison),
        TEST(test_loop),
        TEST(test_never_responds),
        TEST(test_forgotten_by_both),
        TEST(test_late),
        TEST(test_responds_twice),
        TEST(test_used_after_the_answer),
        TEST(test_leaks),
        TEST(test_all_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
