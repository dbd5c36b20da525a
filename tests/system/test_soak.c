/*
 * Reloads under load, and a storm of faults: a few of each here, a hundred with LPM_SOAK=100 (`make soak`). What it
 * measures it says in lines "soak: ...".
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "build.h"
#include "client.h"
#include "ctl.h"
#include "fail.h"
#include "server.h"
#include "wait.h"
#include "wrk.h"

#define CONNECTIONS     32
#define SEGMENT_SECONDS 8 /* of load, then wrk begins anew */
#ifdef SERVER_SANITIZED
#define GROWTH_KB 1000000 /* AddressSanitizer keeps what is freed */
#else
#define GROWTH_KB 512
#endif
#define BACK_MS 10000 /* until it answers, whatever happened */

static int rounds_wanted(int few)
{
    const char *text = getenv("LPM_SOAK");
    return text ? atoi(text) : few;
}

/* Something differs each time, and workers come and go. */
static unsigned configure(struct server *s, int number, const char *main)
{
    unsigned count = 2 + (unsigned)number % 2;

    server_conf(s,
                SERVER_MODULES "load_module own/build.so;\n%s\n"
                               "probation %s;\n"
                               "worker { count %u; restarts 100000; }\n"
                               "http {\n"
                               "    listen 127.0.0.1:0;\n"
                               "    large_header_size %dk;\n"
                               "    keepalive_requests 1000000000;\n"
                               "    location / { handler build; }\n"
                               "}\n",
                main, number % 3 ? "0s" : "1s", count, 8 + number % 8);
    return count;
}

static unsigned make(struct server *s, int number)
{
    char name[32];

    snprintf(name, sizeof(name), "build-%d", number);
    build_make(s, "ok", name);
    return configure(s, number, "");
}

static void wait_pids(const struct server *s, const char *role, size_t count)
{
    uint64_t deadline = wait_until(BACK_MS);
    pid_t pids[SERVER_PIDS_MAX];
    size_t now;

    while ((now = server_pids(s, role, pids, SERVER_PIDS_MAX)) != count) {
        if (wait_left(deadline) == 0) {
            fail_test("%zu processes are \"%s\", expected %zu", now, role, count);
        }
        usleep(10000);
    }
}

/* -- Under load --------------------------------------------------------------------------------------- */

/* wrk's script: counts what may not be. `from` is the build that runs when it begins. */
static void write_watcher(const struct server *s, int from, bool keep_alive)
{
    char text[4096];

    snprintf(text, sizeof(text),
             "%s"
             "local threads = {}\n"
             "function setup(thread) table.insert(threads, thread) end\n"
             "highest, strange, mixed, closes, builds = %d, 0, 0, 0, {}\n"
             "function response(status, headers, body)\n"
             "    local build, generation = tonumber(body:match('^build%%-(%%d+)$')), nil\n"
             "    for name, value in pairs(headers) do\n"
             "        name = name:lower()\n"
             "        if name == 'connection' and value:lower() == 'close' then closes = closes + 1 end\n"
             "        if name == 'x-generation' then generation = value end\n"
             "    end\n"
             /* One build's or the next's; and a generation is of one build. */
             "    if status ~= 200 or not build or not generation or build < highest - 1 or build > highest "
             "+ 1 then\n"
             "        strange = strange + 1\n"
             "        return\n"
             "    end\n"
             "    if build > highest then highest = build end\n"
             "    builds[generation] = builds[generation] or build\n"
             "    if builds[generation] ~= build then mixed = mixed + 1 end\n"
             "end\n"
             "function done(summary, latency, requests)\n"
             "    local t = threads[1]\n"
             "    io.write(string.format('Strange: %%d\\nMixed: %%d\\nCloses: %%d\\nHighest: %%d\\n',\n"
             "        t:get('strange'), t:get('mixed'), t:get('closes'), t:get('highest')))\n"
             "end\n",
             keep_alive ? "" : "wrk.headers['Connection'] = 'close'\n", from);
    server_write(s, "watch.lua", text);
}

static void check_load(const struct wrk *w, int highest, bool keep_alive)
{
    char text[64];

    snprintf(text, sizeof(text), "Strange: 0\nMixed: 0\n%sHighest: %d\n", keep_alive ? "Closes: 0\n" : "",
             highest);
    if (!keep_alive) {
        snprintf(text, sizeof(text), "Strange: 0\nMixed: 0\n");
    }
    if (wrk_socket_errors(w) + w->errors > 0 || w->requests == 0 || !strstr(w->run.out, text)) {
        fail_test("%s", w->run.out);
    }
}

/* Reloads until the load is over, or `last` serves; each to the next build. Returns the last one's workers. */
static unsigned reload_until(struct server *s, const struct wrk *w, int *number, int last)
{
    uint64_t end = wait_until((SEGMENT_SECONDS - 2) * 1000); /* its answers have to come while wrk asks */
    unsigned workers = 2 + (unsigned)*number % 2;

    while (*number < last && wait_left(end) > 0) {
        workers = make(s, ++*number);
        ctl(s, 0, "", "reload", NULL);
        assert_false(wait_gone(w->run.pidfd, wait_until(0)));
    }
    return workers;
}

struct size {
    size_t fds;
    long rss;
};

static struct size size_of_master(const struct server *s)
{
    return (struct size){server_fds(s->pid), server_rss_kb(s->pid)};
}

static void reload_under_load(struct server *s, bool keep_alive)
{
    int last = rounds_wanted(4), number = 0, slowest = 0;
    uint64_t requests = 0;
    unsigned workers;
    struct size before, after;
    char path[4200];

    workers = make(s, number);
    server_start(s, NULL);
    before = size_of_master(s);
    while (number < last) {
        int from = number;
        struct wrk w;
        write_watcher(s, from, keep_alive);
        wrk_start(&w, server_port(s), "/", CONNECTIONS, SEGMENT_SECONDS,
                  server_path(s, "watch.lua", path, sizeof(path)));
        workers = reload_until(s, &w, &number, last);
        wrk_finish(&w);
        check_load(&w, number, keep_alive);
        requests += w.requests;
        slowest = w.p99 > slowest ? (int)w.p99 : slowest;
        run_free(&w.run);
        if (from < last / 5) { /* by then whatever is kept for later is there */
            before = size_of_master(s);
        }
    }
    wait_pids(s, "bus", 1);
    wait_pids(s, "worker", workers);
    wait_pids(s, "trial", 0);
    usleep(1500000); /* the probation, and with it what is kept for the way back */
    after = size_of_master(s);
    print_message(
        "soak: %d reloads under %s: %llu requests, none failed; p99 up to %d ms; master: %zu descriptors, "
        "then %zu; %ld kB, then %ld\n",
        last, keep_alive ? "keep-alive" : "new connections", (unsigned long long)requests, slowest,
        before.fds, after.fds, before.rss, after.rss);
    assert_true(after.fds <= before.fds);
    assert_true(after.rss <= before.rss + GROWTH_KB);
    server_stop(s);
}

static void test_keep_alive(void **state)
{
    reload_under_load(*state, true);
}

static void test_new_connections(void **state)
{
    reload_under_load(*state, false);
}

/* -- Faults ------------------------------------------------------------------------------------------- */

static void hup(struct server *s)
{
    server_signal(s, SIGHUP);
}

static void bad_configuration(struct server *s)
{
    configure(s, 0, "wokers 5;");
    hup(s);
}

static void crash_in_init(struct server *s)
{
    configure(s, 1, "");
    build_make(s, "crash", "build-0");
    hup(s);
}

static void crash_of_new_bus(struct server *s)
{
    configure(s, 2, "");
    build_make(s, "bus", "build-0");
    hup(s);
}

static void kill_one(struct server *s, const char *role)
{
    pid_t pids[SERVER_PIDS_MAX];
    size_t count = server_pids(s, role, pids, SERVER_PIDS_MAX);

    if (count > 0) {
        kill(pids[(size_t)rand() % count], SIGKILL);
    }
}

static void kill_worker(struct server *s)
{
    kill_one(s, "worker");
}

static void kill_bus(struct server *s)
{
    kill_one(s, "bus");
}

static void stop_master(struct server *s)
{
    server_signal(s, SIGSTOP);
    hup(s);
    usleep(100000);
    server_signal(s, SIGCONT);
}

static void truncate_module(struct server *s)
{
    char path[4200];

    assert_int_equal(truncate(server_path(s, "own/build.so", path, sizeof(path)), rand() % 8192), 0);
    hup(s);
}

static void good_reload(struct server *s)
{
    make(s, rand() % 100);
    hup(s);
}

static void many_reloads(struct server *s)
{
    for (int i = 0; i < 20; i++) {
        good_reload(s);
    }
}

/* What it may be that a client meets in a storm: anything but a refused connection, or silence. */
static int ask(const struct server *s)
{
    struct response r;
    struct client c;
    int error = client_try_open(&c, server_port(s)), status;

    if (error != 0) {
        fail_test("cannot connect: %s", strerror(error));
    }
    client_request(&c, "GET", "/", "", NULL, 0);
    client_read(&c, &r, BACK_MS);
    status = r.status;
    client_forget(&r);
    client_close(&c);
    return status;
}

/* How long until it answers well, ms. */
static int wait_good(const struct server *s)
{
    uint64_t begin = wait_until(0), deadline = wait_until(BACK_MS);

    while (ask(s) != 200) {
        if (wait_left(deadline) == 0) {
            fail_test("it does not answer");
        }
    }
    return (int)((wait_until(0) - begin) / 1000000);
}

static void test_storm(void **state)
{
    static void (*const faults[])(struct server *) = {
        bad_configuration, crash_in_init,   crash_of_new_bus, kill_worker,  kill_bus,
        stop_master,       truncate_module, good_reload,      many_reloads,
    };
    struct server *s = *state;
    int rounds = rounds_wanted(6) * 3, longest = 0;
    unsigned seed = (unsigned)time(NULL), workers;
    struct response r;

    srand(seed);
    make(s, 0);
    server_start(s, NULL);
    for (int i = 0; i < rounds; i++) {
        int ms;
        faults[(size_t)rand() % (sizeof(faults) / sizeof(faults[0]))](s);
        ms = wait_good(s);
        longest = ms > longest ? ms : longest;
        usleep((useconds_t)(rand() % 200000));
    }
    workers = make(s, 7);
    ctl(s, 0, "", "reload", NULL);
    wait_pids(s, "bus", 1);
    wait_pids(s, "worker", workers);
    wait_pids(s, "trial", 0);
    assert_int_equal(client_get(server_port(s), "/", &r), 200);
    assert_string_equal(r.body, "build-7");
    client_forget(&r);
    s->mark = 0;
    print_message(
        "soak: %d faults (seed %u): %zu reloads failed, %zu took, %zu deaths by SIGKILL, %zu times back; "
        "answered again after %d ms at the longest\n",
        rounds, seed, server_log_count(s, "reload failed"), server_log_count(s, "is online"),
        server_log_count(s, "died of SIGKILL"), server_log_count(s, "lpm goes back"), longest);
    server_stop(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {TEST(test_keep_alive), TEST(test_new_connections), TEST(test_storm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
