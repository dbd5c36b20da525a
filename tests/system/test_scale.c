/*
 * A pool that scales itself, on a real server: up under load, down without, and what a reload, the end of the bus and lpmctl make
 * of its size. No request fails for it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>

#include "client.h"
#include "ctl.h"
#include "fail.h"
#include "misdeed.h"
#include "server.h"
#include "wait.h"

#define CLIENTS  8
#define LIMIT_MS 30000

static void configure(struct server *s, const char *worker)
{
    server_conf(s,
                SERVER_MODULES SERVER_MISDEED
                "probation 0s;\n"
                "worker { %s }\n"
                "http { listen 127.0.0.1:0; location / { handler misdeed; } }\n",
                worker);
}

static void start(struct server *s, const char *worker)
{
    configure(s, worker);
    server_start(s, NULL);
}

/* Rounds of requests that take 20 ms each, from several clients, until the log has the line. */
static void load_until(struct server *s, const char *line)
{
    struct client clients[CLIENTS];
    uint64_t deadline = wait_until(LIMIT_MS);

    for (size_t i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], server_port(s));
    }
    while (server_log_count(s, line) == 0) {
        if (wait_left(deadline) == 0) {
            fail_test("the log does not say \"%s\"", line);
        }
        for (size_t i = 0; i < CLIENTS; i++) {
            client_request(&clients[i], "GET", MISDEED_SLEEP("20"), "", "", 0);
        }
        for (size_t i = 0; i < CLIENTS; i++) {
            assert_int_equal(client_status(&clients[i], CLIENT_MS), 200);
        }
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        client_close(&clients[i]);
    }
}

static size_t workers(struct server *s)
{
    pid_t pids[SERVER_PIDS_MAX];
    return server_pids(s, "worker", pids, SERVER_PIDS_MAX);
}

static void expect_status(struct server *s, const char *text)
{
    struct run run;

    ctl_start(&run, s, "status", NULL);
    run_finish(&run, CTL_MS);
    if (!strstr(run.out, text)) {
        fail_test("lpmctl status: %s, expected \"%s\"", run.out, text);
    }
    run_free(&run);
}

static void test_up_and_down(void **state)
{
    struct server *s = *state;

    start(s, "count 1..3; idle_timeout 1s;");
    expect_status(s, "pool default: 1 workers of 1 to 3\n");
    load_until(s, "pool default is resized from 1 to 2 workers: requests wait ");
    load_until(s, "pool default is resized from 2 to 3 workers: requests wait ");
    expect_status(s, "pool default: 3 workers of 1 to 3; ");
    load_until(s, "pool default stays at 3 workers: requests wait ");
    server_wait_log(s, "pool default is resized from 3 to 2 workers: 1 s long one less would have done",
                    LIMIT_MS);
    server_wait_log(s, "pool default is resized from 2 to 1 workers: 1 s long", LIMIT_MS);
    expect_status(s, "s ago: 1 s long one less would have done");
    assert_int_equal(server_log_count(s, "died of"), 0);
    server_stop(s);
}

/* A reload, and a bus that takes the place of a dead one, begin with what there was, as far as the range allows. */
static void test_begins_with_what_there_was(void **state)
{
    struct server *s = *state;

    start(s, "count 1..3; idle_timeout 1h;");
    load_until(s, "pool default is resized from 2 to 3 workers");
    server_mark(s);
    ctl(s, 0, "", "reload", NULL);
    server_wait_log(s, "is online: generation 2, 3 workers", LIMIT_MS);
    configure(s, "count 1..2; idle_timeout 1h;");
    ctl(s, 0, "", "reload", NULL);
    server_wait_log(s, "is online: generation 3, 2 workers", LIMIT_MS);
    server_wait_log(s, "generation 2 has ended", LIMIT_MS);
    kill(server_pid(s, "bus"), SIGKILL);
    server_wait_log(s, "is online: generation 4, 2 workers", LIMIT_MS);
    server_stop(s);
}

/* What somebody asks for holds until the next reload, also beyond the range. */
static void test_pinned_by_lpmctl(void **state)
{
    struct server *s = *state;

    start(s, "count 1..2; idle_timeout 100ms;");
    ctl(s, 0, "", "resize", "default", "4", NULL);
    assert_int_equal(workers(s), 4);
    expect_status(s, "pool default: 4 workers of 1 to 2, until the next reload; ");
    server_mark(s);
    ctl(s, 0, "", "reload", NULL);
    server_wait_log(s, "is online: generation 2, 2 workers", LIMIT_MS);
    server_wait_log(s, "pool default is resized from 2 to 1 workers: 0.1 s long", LIMIT_MS);
    server_stop(s);
    assert_int_equal(server_log_count(s, "resized from 4"), 0);
}

/* In the seconds after a reload in which it may be taken back, too. */
static void test_resize_on_probation(void **state)
{
    struct server *s = *state;

    start(s, "count 1;");
    server_conf(s, SERVER_MODULES "probation 1h;\n"
                                  "http { listen 127.0.0.1:0; location / { handler hello; } }\n");
    ctl(s, 0, "", "reload", NULL);
    ctl(s, 0, "", "resize", "default", "3", NULL);
    ctl(s, 0, "", "resize", "default", "1", NULL);
    server_stop(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_up_and_down),
        TEST(test_begins_with_what_there_was),
        TEST(test_pinned_by_lpmctl),
        TEST(test_resize_on_probation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
