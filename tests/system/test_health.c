/*
 * lpm_supervisor_health() on a real server, through lpmctl, which passes on what it says.
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
#include "ctl.h"
#include "server.h"

#define WORKERS_MAX 8
#define MEGABYTE    1000000u

static void start(struct server *s, const char *worker)
{
    server_conf(s,
                SERVER_MODULES "load_module tmodules/ruler.so;\n"
                               "worker { %s }\n"
                               "http { listen 127.0.0.1:0; location / { handler ruler; }\n"
                               "       location /hello { handler hello; } }\n",
                worker);
    server_start(s, NULL);
}

static int order(struct server *s, const char *text, struct response *r)
{
    return client_once(server_port(s), "POST", "/", "", text, strlen(text), r);
}

static uint64_t resident(pid_t pid)
{
    char path[64], text[128] = "";
    unsigned long size, pages;
    FILE *statm;

    snprintf(path, sizeof(path), "/proc/%ld/statm", (long)pid);
    statm = fopen(path, "r");
    assert_non_null(statm);
    assert_non_null(fgets(text, sizeof(text), statm));
    fclose(statm);
    assert_int_equal(sscanf(text, "%lu %lu", &size, &pages), 2);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void test_numbers(void **state)
{
    struct server *s = *state;
    struct ctl_worker before[WORKERS_MAX], after[WORKERS_MAX];
    pid_t pids[SERVER_PIDS_MAX];
    uint64_t requests = 0;

    start(s, "count 2;");
    assert_int_equal(server_pids(s, "worker", pids, SERVER_PIDS_MAX), 2);
    assert_int_equal(ctl_health(s, before, WORKERS_MAX), 2);
    for (size_t i = 0; i < 2; i++) {
        const struct ctl_worker *w = &before[i];
        assert_string_equal(w->pool, "default");
        assert_int_equal(w->index, i);
        assert_true(w->pid == pids[0] || w->pid == pids[1]);
        assert_string_equal(w->state, "ready");
        assert_int_equal(w->generation, 1);
        assert_int_equal(w->restarts, 0);
        assert_int_equal(w->in_flight + w->started + w->sockets, 0);
        assert_int_equal(w->requests, 0);
        assert_in_range(w->rss, resident(w->pid) / 2, resident(w->pid) * 2);
        assert_true(w->pressure < w->rss);
        assert_true(w->heap_used <= w->heap_total);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    }
    assert_int_equal(ctl_health(s, after, WORKERS_MAX), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(after[i].uptime >= before[i].uptime);
        requests += after[i].requests;
    }
    assert_int_equal(requests, 20);
    server_stop(s);
}

/* -- Heap and pressure -------------------------------------------------------------------------------- */

struct growth {
    pid_t pid;
    uint64_t used, total;
};

static bool has_grown(const struct ctl_worker *list, size_t count, const void *arg)
{
    const struct growth *growth = arg;

    for (size_t i = 0; i < count; i++) {
        if (list[i].pid == growth->pid) {
            return list[i].heap_used >= growth->used && list[i].heap_total >= growth->total;
        }
    }
    return false;
}

/* One request leaks; after it the worker is left alone, and its numbers follow all the same. */
static void test_a_leak(void **state)
{
    struct server *s = *state;
    struct ctl_worker before[WORKERS_MAX], after[WORKERS_MAX];
    struct growth growth;
    struct response r;
    size_t i, other;

    start(s, "count 2;");
    assert_int_equal(ctl_health(s, before, WORKERS_MAX), 2);
    assert_int_equal(order(s, "grow 50000000", &r), 200);
    growth.pid = (pid_t)strtol(r.body, NULL, 10);
    client_forget(&r);
    i = before[0].pid == growth.pid ? 0 : 1;
    other = 1 - i;
    growth.used = before[i].heap_used + 50 * MEGABYTE;
    growth.total = before[i].heap_total + 50 * MEGABYTE;
    if (before[i].heap_total > 0) { /* a sanitizer's malloc says nothing */
        ctl_health_until(s, after, WORKERS_MAX, "the heap grown", has_grown, &growth);
        assert_true(after[i].heap_used <= growth.used + 5 * MEGABYTE);
        assert_true(after[other].heap_used < before[other].heap_used + 5 * MEGABYTE);
    }
    assert_int_equal(ctl_health(s, after, WORKERS_MAX), 2);
    assert_in_range(after[i].rss - before[i].rss, 45 * MEGABYTE, 150 * MEGABYTE);
    assert_in_range(after[i].pressure - before[i].pressure, 45 * MEGABYTE, 150 * MEGABYTE);
    assert_true(after[other].pressure < before[other].pressure + 20 * MEGABYTE);
    server_stop(s);
}

/* -- State -------------------------------------------------------------------------------------------- */

static bool is_in_state(const struct ctl_worker *list, size_t count, const void *arg)
{
    return count == 1 && strcmp(list[0].state, arg) == 0;
}

static bool has_three(const struct ctl_worker *list, size_t count, const void *arg)
{
    (void)arg;
    return count == 1 && list[0].in_flight == 3 && list[0].started == 3;
}

static void test_states(void **state)
{
    struct server *s = *state;
    struct ctl_worker w[WORKERS_MAX];
    struct client clients[3];
    pid_t first;

    start(s, "count 1; restarts -1;");
    for (size_t i = 0; i < 3; i++) {
        client_open(&clients[i], server_port(s));
        client_request(&clients[i], "POST", "/", "", "hold 60000", 10);
    }
    ctl_health_until(s, w, WORKERS_MAX, "three requests begun", has_three, NULL);
    assert_string_equal(w[0].state, "ready");
    first = w[0].pid;
    assert_int_equal(order(s, "busy", NULL), 200);
    ctl_health_until(s, w, WORKERS_MAX, "a busy worker", is_in_state, "busy");
    assert_int_equal(w[0].in_flight, 3);
    assert_int_equal(w[0].requests, 1);
    kill(first, SIGKILL);
    ctl_health_until(s, w, WORKERS_MAX, "a new worker", is_in_state, "ready");
    assert_int_not_equal(w[0].pid, first);
    assert_int_equal(w[0].restarts, 1);
    assert_int_equal(w[0].in_flight + w[0].started, 0);
    assert_int_equal(w[0].requests, 0);
    for (size_t i = 0; i < 3; i++) {
        client_close(&clients[i]);
    }
    server_stop(s);
}

/* A worker that may not be started again is there, and absent. */
static void test_absent(void **state)
{
    struct server *s = *state;
    struct ctl_worker w[WORKERS_MAX];

    start(s, "count 1; restarts 0;");
    kill(server_pid(s, "worker"), SIGKILL);
    ctl_health_until(s, w, WORKERS_MAX, "an absent worker", is_in_state, "absent");
    server_wait_log(s, "is degraded", 5000);
    assert_int_equal(ctl_health(s, w, WORKERS_MAX), 1);
    assert_int_equal(w[0].pid, 0);
    assert_int_equal(w[0].rss, 0);
    server_stop(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_numbers),
        TEST(test_a_leak),
        TEST(test_states),
        TEST(test_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
