/*
 * A handler that leaks with every request, under 80 % of the load that its pool can bear: nobody notices. For 30 s, or, with
 * LPM_SOAK set (`make soak`), for five minutes with a limit of 256 MiB; longer where the machine is slow. What it measures it
 * says in a line "soak: ...".
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
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "ctl.h"
#include "fail.h"
#include "server.h"
#include "sim_random.h"

#define WORKERS      2u
#define SERVICE_MS   20u
#define CLIENTS      500u
#define LOAD         0.8 /* of what they can do */
#define MEASURE_MS   2000
#define PATIENCE     5
#define SAMPLE_MS    100
#define REPLACEMENTS 20u
#define MIB          (UINT64_C(1) << 20)
#define ANSWERS_MAX  (300u * PATIENCE * WORKERS * 1000 / SERVICE_MS)

#ifdef SERVER_SANITIZED /* much of a worker's memory is the sanitizer's */
#define SHORT_LIMIT 240
#define SHORT_LEAK  2
#else
#define SHORT_LIMIT 64
#define SHORT_LEAK  1
#endif

struct answer {
    double begin, end; /* ms, of the wall clock, as the log's */
};

struct load {
    struct server *s;
    struct client clients[CLIENTS];
    double begun[CLIENTS]; /* when its request should have been sent; 0: it is idle */
    size_t count;
    struct answer *answers;
    size_t answered;
    double gap; /* ms between two arrivals, in the mean */
    uint64_t seed;
    uint64_t most; /* bytes that the workers had together */
};

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* -- Load --------------------------------------------------------------------------------------------- */

static void send_one(struct load *load, double due)
{
    size_t i = 0;

    while (i < load->count && load->begun[i] > 0) {
        i++;
    }
    if (i == load->count) {
        if (i == CLIENTS) {
            fail_test("%u requests wait", CLIENTS);
        }
        client_open(&load->clients[load->count++], server_port(load->s));
    }
    load->begun[i] = due;
    assert_true(client_request(&load->clients[i], "GET", "/leak", "", "", 0));
}

static void take_answer(struct load *load, size_t i)
{
    assert_int_equal(client_status(&load->clients[i], CLIENT_MS), 200);
    assert_true(load->answered < ANSWERS_MAX);
    load->answers[load->answered++] = (struct answer){load->begun[i], now_ms()};
    load->begun[i] = 0;
}

/* Takes what comes within `ms`: how many still wait. */
static size_t take_answers(struct load *load, double ms)
{
    struct pollfd fds[CLIENTS];
    size_t waiting = 0;

    for (size_t i = 0; i < load->count; i++) {
        fds[i] = (struct pollfd){.fd = load->begun[i] > 0 ? load->clients[i].fd : -1, .events = POLLIN};
    }
    poll(fds, load->count, ms > 0 ? (int)ms + 1 : 0);
    for (size_t i = 0; i < load->count; i++) {
        if (fds[i].fd >= 0 && fds[i].revents != 0) {
            take_answer(load, i);
        }
        waiting += load->begun[i] > 0;
    }
    return waiting;
}

/* -- Memory ------------------------------------------------------------------------------------------- */

/* What it has for itself, as lpm counts; 0: it is gone. */
static uint64_t memory_of(pid_t pid)
{
    char path[64];
    unsigned long resident = 0, shared = 0;
    FILE *statm;

    snprintf(path, sizeof(path), "/proc/%ld/statm", (long)pid);
    statm = fopen(path, "r");
    if (statm) {
        if (fscanf(statm, "%*u %lu %lu", &resident, &shared) != 2) {
            resident = shared = 0;
        }
        fclose(statm);
    }
    return (uint64_t)(resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void sample(struct load *load, pid_t bus)
{
    char path[64], *text, *at, *end;
    uint64_t sum = 0;

    snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)load->s->pid, (long)load->s->pid);
    text = run_read_file(path);
    assert_non_null(text);
    for (at = text; *at; at = end) {
        pid_t pid = (pid_t)strtol(at, &end, 10);
        if (end == at) {
            break;
        }
        sum += pid != bus ? memory_of(pid) : 0;
    }
    free(text);
    load->most = sum > load->most ? sum : load->most;
}

/* -- During a replacement ----------------------------------------------------------------------------- */

/* When the line was written; the log's clock is the local one. */
static double time_of(const char *line)
{
    struct tm t = {.tm_isdst = -1};
    int ms = 0;

    if (sscanf(line, "%d/%d/%d %d:%d:%d.%d", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour, &t.tm_min,
               &t.tm_sec, &ms) != 7) {
        return 0;
    }
    t.tm_year -= 1900;
    t.tm_mon--;
    return (double)mktime(&t) * 1e3 + ms;
}

/* From the call for a successor to the end of the worker: one after the other, as there are few workers. */
static size_t read_replacements(const struct server *s, struct answer *list, size_t max)
{
    size_t count = 0;
    bool open = false;

    for (const char *line = s->log; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        size_t len = strcspn(line, "\n");
        if (!open && memmem(line, len, "a successor is started", 22) && count < max) {
            list[count].begin = time_of(line);
            open = true;
        } else if (open && memmem(line, len, "exited with status 0", 20)) {
            list[count++].end = time_of(line) + 1;
            open = false;
        }
    }
    return count;
}

static bool meets(const struct answer *a, const struct answer *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (a->begin <= list[i].end && a->end >= list[i].begin) {
            return true;
        }
    }
    return false;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ms, of those that met a replacement, or of the others; `*n`: how many these are. */
static double p99(const struct load *load, const struct answer *list, size_t count, bool met, size_t *n)
{
    double *times = malloc((load->answered + 1) * sizeof(*times)), found;

    assert_non_null(times);
    *n = 0;
    for (size_t i = 0; i < load->answered; i++) {
        if (meets(&load->answers[i], list, count) == met) {
            times[(*n)++] = load->answers[i].end - load->answers[i].begin;
        }
    }
    qsort(times, *n, sizeof(*times), by_size);
    found = *n > 0 ? times[(*n - 1) * 99 / 100] : 0;
    free(times);
    return found;
}

/* -- The test ----------------------------------------------------------------------------------------- */

/* What the workers can do at most on this machine, with whatever else it does: each always has a request. */
static void measure(struct load *load)
{
    double begin = now_ms();

    for (unsigned i = 0; i < WORKERS; i++) {
        send_one(load, now_ms());
    }
    while (now_ms() < begin + MEASURE_MS) {
        for (size_t waiting = take_answers(load, 1000); waiting < WORKERS; waiting++) {
            send_one(load, now_ms());
        }
    }
    while (take_answers(load, 1000) > 0) {
    }
    load->gap = (now_ms() - begin) / (double)load->answered / LOAD;
    load->answered = 0;
}

/* So long, or longer on a slow machine, until enough have been replaced. */
static bool is_over(const struct load *load, double begin, double seconds)
{
    double passed = (now_ms() - begin) / 1000;

    return passed > PATIENCE * seconds ||
           (passed > seconds && server_log_count(load->s, "a successor is started") > REPLACEMENTS);
}

static void run_load(struct load *load, double seconds)
{
    pid_t bus = server_pid(load->s, "bus");
    double begin = now_ms(), next = begin, due = begin;

    while (!is_over(load, begin, seconds)) {
        for (; due <= now_ms(); due += sim_random_exponential(&load->seed) * load->gap) {
            send_one(load, due);
        }
        if (next <= now_ms()) {
            sample(load, bus);
            next = now_ms() + SAMPLE_MS;
        }
        take_answers(load, (due < next ? due : next) - now_ms());
    }
    while (take_answers(load, 1000) > 0) {
    }
}

static void test_a_leak(void **state)
{
    static struct answer list[4096];
    struct load load = {.s = *state, .seed = 1};
    bool soak = getenv("LPM_SOAK") != NULL;
    uint64_t limit = (soak ? 256 : SHORT_LIMIT) * MIB, most = WORKERS * limit * 3 / 2 + limit;
    size_t count, met, others;
    double during, steady;

    server_conf(load.s,
                SERVER_MODULES
                "load_module tmodules/leaker.so;\n"
                "leak_size %dm; leak_time %ums;\n"
                "worker { count %u; restarts 0; rss_limit %llum; }\n"
                "http { listen 127.0.0.1:0; keepalive_requests 1000000000; keepalive_timeout 1h;\n"
                "       location /leak { handler leaker; } }\n",
                soak ? 1 : SHORT_LEAK, SERVICE_MS, WORKERS, (unsigned long long)(limit / MIB));
    server_start(load.s, NULL);
    load.answers = malloc(ANSWERS_MAX * sizeof(*load.answers));
    assert_non_null(load.answers);
    measure(&load);
    run_load(&load, soak ? 300 : 30);
    for (size_t i = 0; i < load.count; i++) {
        client_close(&load.clients[i]);
    }
    assert_int_equal(server_log_count(load.s, SERVER_DEATH), 0);
    assert_int_equal(server_log_count(load.s, "degraded"), 0);
    count = read_replacements(load.s, list, sizeof(list) / sizeof(list[0]));
    during = p99(&load, list, count, true, &met);
    steady = p99(&load, list, count, false, &others);
    print_message("soak: a leak: %zu requests, %.0f a second, none failed; %zu replacements; memory up to "
                  "%llu MiB of %llu; p99 "
                  "%.1f ms during a replacement (of %zu), %.1f ms else\n",
                  load.answered, 1000 / load.gap, count, (unsigned long long)(load.most / MIB),
                  (unsigned long long)(most / MIB), during, met, steady);
    assert_true(count >= REPLACEMENTS);
    assert_true(load.most <= most);
    if (soak) {
        assert_true(during <= 2 * steady);
    } else { /* other tests, and whatever else the machine does */
        assert_true(during <= 4 * steady + 500);
    }
    free(load.answers);
    server_stop(load.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_leak, server_setup, server_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
