/*
 * Another number of workers, and the supervisor's ends, on a real server: under load without a failed request, and when
 * what could go wrong does.
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
#include "ctl.h"
#include "server.h"
#include "wait.h"

#define WORKERS_MAX 16
#define MEGABYTE    1000000u

static void start_with(struct server *s, const char *main, const char *worker)
{
    server_conf(s,
                SERVER_MODULES "load_module tmodules/ruler.so;\n"
                               "%s\n"
                               "worker { %s }\n"
                               "http { listen 127.0.0.1:0; location / { handler ruler; }\n"
                               "       location /hello { handler hello; } }\n",
                main, worker);
    server_start(s, NULL);
}

static void start(struct server *s, const char *worker)
{
    start_with(s, "", worker);
}

static size_t workers(struct server *s)
{
    pid_t pids[SERVER_PIDS_MAX];
    return server_pids(s, "worker", pids, SERVER_PIDS_MAX);
}

static bool all_ready(const struct ctl_worker *list, size_t count, const void *arg)
{
    if (count != *(const size_t *)arg) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].state, "ready") != 0) {
            return false;
        }
    }
    return true;
}

static void wait_ready(struct server *s, size_t count)
{
    struct ctl_worker list[WORKERS_MAX];
    ctl_health_until(s, list, WORKERS_MAX, "all ready", all_ready, &count);
}

static void hold(struct server *s, struct client *c, const char *ms)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "hold %s", ms);

    client_open(c, server_port(s));
    client_request(c, "POST", "/", "", text, (size_t)len);
}

static bool any_in_flight(const struct ctl_worker *list, size_t count, const void *arg)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += list[i].started;
    }
    return sum == *(const size_t *)arg;
}

static void wait_started(struct server *s, size_t sum)
{
    struct ctl_worker list[WORKERS_MAX];
    ctl_health_until(s, list, WORKERS_MAX, "that many requests begun", any_in_flight, &sum);
}

/* -- Up and down -------------------------------------------------------------------------------------- */

/* Fifty connections, each with its next request as soon as it has its answer; none may fail. */
static void test_under_load(void **state)
{
    static const char *const counts[] = {"6", "2", "8", "1", "3"};
    struct server *s = *state;
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    struct ctl_worker list[WORKERS_MAX];

    assert_non_null(crowd);
    start(s, "count 1;");
    crowd_open(crowd, server_port(s));
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        size_t count = strtoul(counts[i], NULL, 10);
        struct run run;

        ctl_start(&run, s, "resize", "default", counts[i], NULL);
        do {
            crowd_send(crowd);
            crowd_check(crowd);
        } while (!wait_gone(run.pidfd, wait_until(0)));
        run_finish(&run, CTL_MS);
        assert_int_equal(run_exit(&run), 0);
        run_free(&run);
        /* When it says that it is so, it is so. */
        assert_int_equal(workers(s), count);
        assert_int_equal(ctl_health(s, list, WORKERS_MAX), count);
        assert_true(all_ready(list, count, &count));
    }
    crowd_close(crowd);
    free(crowd);
    assert_int_equal(server_log_count(s, SERVER_DEATH), 0);
    server_stop(s);
}

static size_t most_pressed(const struct ctl_worker *list, size_t count, uint64_t *lead)
{
    size_t first = 0;
    uint64_t second = 0;

    for (size_t i = 1; i < count; i++) {
        first = list[i].pressure > list[first].pressure ? i : first;
    }
    for (size_t i = 0; i < count; i++) {
        second = i != first && list[i].pressure > second ? list[i].pressure : second;
    }
    *lead = list[first].pressure - second;
    return first;
}

static void test_highest_pressure_leaves_first(void **state)
{
    static const char *const leaks[] = {"grow 20000000", "grow 80000000", "grow 40000000", "grow 60000000"};
    struct server *s = *state;

    start(s, "count 4;");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(client_once(server_port(s), "POST", "/", "", leaks[i], strlen(leaks[i]), NULL), 200);
    }
    for (size_t count = 4; count > 1; count--) {
        struct ctl_worker before[WORKERS_MAX], after[WORKERS_MAX];
        char fewer[32];
        uint64_t lead;
        size_t worst;

        assert_int_equal(ctl_health(s, before, WORKERS_MAX), count);
        worst = most_pressed(before, count, &lead);
        assert_true(lead > 5 * MEGABYTE); /* one leak each: they take turns */
        snprintf(fewer, sizeof(fewer), "%zu", count - 1);
        ctl(s, 0, "", "resize", "default", fewer, NULL);
        assert_int_equal(ctl_health(s, after, WORKERS_MAX), count - 1);
        for (size_t i = 0; i < count - 1; i++) {
            assert_int_not_equal(after[i].pid, before[worst].pid);
        }
    }
    server_stop(s);
}

/* A module that resizes as soon as it may. */
static void test_from_online(void **state)
{
    struct server *s = *state;

    start_with(s, "ruler_online 4;", "count 1;");
    server_wait_log(s, "resize: 0", 5000);
    server_wait_log(s, "resized: 0", 5000);
    assert_int_equal(workers(s), 4);
    assert_int_equal(server_log_count(s, "is online"), 1); /* no second generation */
    assert_int_equal(server_log_count(s, "not allowed"), 0);
    server_stop(s);
}

/* Another generation begins with what the configuration says. */
static void test_generation_has_the_configured_count(void **state)
{
    struct server *s = *state;

    start(s, "count 2;");
    ctl(s, 0, "", "resize", "default", "5", NULL);
    server_mark(s);
    kill(server_pid(s, "bus"), SIGKILL);
    server_wait_log(s, "is online: generation 2, 2 workers", SERVER_START_MS);
    server_wait_log(s, "generation 1 has ended", SERVER_START_MS);
    assert_int_equal(workers(s), 2);
    server_stop(s);
}

/* -- What goes wrong ---------------------------------------------------------------------------------- */

static void remove_file(struct server *s, const char *name)
{
    char path[4200];
    assert_int_equal(unlink(server_path(s, name, path, sizeof(path))), 0);
}

/* The new one does not start: the one who asked hears of it, the others serve on, and its place is tried again. */
static void test_start_fails(void **state)
{
    static const char *const ways[] = {"refuse", "never"};
    struct server *s = *state;

    for (size_t i = 0; i < 2; i++) {
        start_with(s, "ruler_refuse refuse;", "count 1; restarts -1; ready_timeout 200ms;");
        server_write(s, "refuse", ways[i]);
        ctl(s, 1, "a new worker did not become ready (LPM_EWORKER)", "resize", "default", "2", NULL);
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
        remove_file(s, "refuse");
        wait_ready(s, 2);
        server_stop(s);
    }
}

static void test_another_resize_comes(void **state)
{
    struct server *s = *state;
    struct run first;

    start_with(s, "ruler_refuse refuse;", "count 1; ready_timeout 60s; drain_timeout 200ms;");
    server_write(s, "refuse", "never");
    ctl_start(&first, s, "resize", "default", "3", NULL);
    server_wait_log(s, "resized from 1 to 3", 5000);
    ctl(s, 0, "", "resize", "default", "1", NULL); /* those that start are the first to go */
    run_finish(&first, CTL_MS);
    assert_int_equal(run_exit(&first), 1);
    assert_non_null(strstr(first.err, "LPM_ECANCELED"));
    run_free(&first);
    assert_int_equal(workers(s), 1);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_stop(s);
}

/* One that is on its way out dies: nobody takes its place. */
static void test_crash_on_the_way_out(void **state)
{
    struct server *s = *state;
    struct ctl_worker list[WORKERS_MAX];
    struct client c[2];
    struct run run;
    size_t leaving;

    start(s, "count 2;");
    hold(s, &c[0], "60000");
    hold(s, &c[1], "60000");
    wait_started(s, 2);
    ctl_start(&run, s, "resize", "default", "1", NULL);
    server_wait_log(s, "resized from 2 to 1", 5000);
    assert_int_equal(ctl_health(s, list, WORKERS_MAX), 2);
    leaving = strcmp(list[0].state, "leaving") == 0 ? 0 : 1;
    assert_string_equal(list[leaving].state, "leaving");
    assert_string_equal(list[1 - leaving].state, "ready");
    kill(list[leaving].pid, SIGKILL);
    run_finish(&run, CTL_MS);
    assert_int_equal(run_exit(&run), 0);
    run_free(&run);
    assert_int_equal(workers(s), 1);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    client_close(&c[0]);
    client_close(&c[1]);
    server_stop(s);
}

static void test_drain_timeout(void **state)
{
    struct server *s = *state;
    struct client c[2];

    start(s, "count 2; drain_timeout 300ms;");
    hold(s, &c[0], "60000");
    hold(s, &c[1], "60000");
    wait_started(s, 2);
    ctl(s, 0, "", "resize", "default", "1", NULL);
    server_wait_log(s, "has not ended within drain_timeout: killed", 5000);
    assert_int_equal(workers(s), 1);
    client_close(&c[0]);
    client_close(&c[1]);
    server_signal(s, SIGTERM);
    assert_int_equal(server_wait_exit(s, SERVER_STOP_MS), 0);
    server_check_clean(s);
}

/* A busy worker stays until it is ready again, or its time is over. */
static void test_busy_one_leaves(void **state)
{
    struct server *s = *state;

    start(s, "count 2; drain_timeout 300ms;");
    assert_int_equal(client_once(server_port(s), "POST", "/", "", "busy", 4, NULL), 200);
    assert_int_equal(client_once(server_port(s), "POST", "/", "", "busy", 4, NULL), 200);
    ctl(s, 0, "", "resize", "default", "1", NULL);
    assert_int_equal(workers(s), 1);
    server_signal(s, SIGTERM);
    assert_int_equal(server_wait_exit(s, SERVER_STOP_MS), 0);
}

/* A dead worker that may not be started again is the first to be given up; then nothing is missing. */
static void test_degraded_place(void **state)
{
    struct server *s = *state;
    struct ctl_worker list[WORKERS_MAX];

    start(s, "count 2; restarts 0;");
    assert_int_equal(ctl_health(s, list, WORKERS_MAX), 2);
    kill(list[0].pid, SIGKILL);
    server_wait_log(s, "pool default is degraded", 5000);
    ctl(s, 0, "", "resize", "default", "1", NULL);
    server_wait_log(s, "pool default is no longer degraded", 5000);
    assert_int_equal(ctl_health(s, list, WORKERS_MAX), 1);
    assert_int_equal(workers(s), 1);
    ctl(s, 0, "", "resize", "default", "2", NULL); /* new ones are no restarts */
    assert_int_equal(workers(s), 2);
    server_stop(s);
}

/* -- The end ------------------------------------------------------------------------------------------ */

static void test_soft_kill_during_resize(void **state)
{
    struct server *s = *state;
    struct client c[3];
    struct run run;

    start(s, "count 3;");
    for (size_t i = 0; i < 3; i++) {
        hold(s, &c[i], "500");
    }
    wait_started(s, 3);
    ctl_start(&run, s, "resize", "default", "1", NULL);
    server_wait_log(s, "resized from 3 to 1", 5000);
    server_signal(s, SIGQUIT);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(client_status(&c[i], CLIENT_MS), 200);
        client_close(&c[i]);
    }
    assert_int_equal(server_wait_exit(s, SERVER_STOP_MS), 0);
    run_finish(&run, CTL_MS);
    assert_int_not_equal(run_exit(&run), 0);
    run_free(&run);
    assert_int_equal(server_log_count(s, SERVER_DEATH), 0);
    server_check_clean(s);
}

/* The seed's example: SIGINT, taken over by a module, which kills softly. Its callback comes when the workers have gone, and
 * what it enqueues meanwhile is refused. */
static void test_sigint_kills_softly(void **state)
{
    struct server *s = *state;
    struct client c;

    start(s, "count 2;");
    hold(s, &c, "3000");
    wait_started(s, 1);
    server_signal(s, SIGINT);
    server_wait_log(s, "SIGINT: soft kill 0", 5000);
    server_wait_log(s, "enqueue: -10", 5000);
    assert_int_equal(client_status(&c, CLIENT_MS), 200);
    client_close(&c);
    server_wait_log(s, "soft kill is done: 0", 5000);
    assert_int_equal(server_wait_exit(s, SERVER_STOP_MS), 0);
    server_check_clean(s);
}

/* TERM while it drains makes it a hard kill: the soft kill's end is cancelled. */
static void test_soft_kill_is_cut_short(void **state)
{
    struct server *s = *state;
    struct client c;

    start(s, "count 1;");
    hold(s, &c, "60000");
    wait_started(s, 1);
    server_signal(s, SIGINT);
    server_wait_log(s, "SIGINT: soft kill 0", 5000);
    server_signal(s, SIGTERM);
    server_wait_log(s, "soft kill is done: -6", 5000);
    assert_int_equal(server_wait_exit(s, SERVER_STOP_MS), 0);
    client_close(&c);
    server_check_clean(s);
}

/* A bus that does not react keeps nobody from ending it: INT is the module's, TERM is not. */
static void test_stopped_bus_and_sigint(void **state)
{
    struct server *s = *state;
    pid_t bus;

    start(s, "count 1;");
    bus = server_pid(s, "bus");
    kill(bus, SIGSTOP);
    for (int i = 0; i < 10; i++) {
        server_signal(s, SIGINT);
    }
    server_signal(s, SIGTERM);
    assert_int_equal(server_wait_exit(s, SERVER_STOP_MS), 0);
    server_check_clean(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_under_load),
        TEST(test_highest_pressure_leaves_first),
        TEST(test_from_online),
        TEST(test_generation_has_the_configured_count),
        TEST(test_start_fails),
        TEST(test_another_resize_comes),
        TEST(test_crash_on_the_way_out),
        TEST(test_drain_timeout),
        TEST(test_busy_one_leaves),
        TEST(test_degraded_place),
        TEST(test_soft_kill_during_resize),
        TEST(test_sigint_kills_softly),
        TEST(test_soft_kill_is_cut_short),
        TEST(test_stopped_bus_and_sigint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
