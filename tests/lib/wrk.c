/*
 * Running wrk and reading its report. Runs in test programs. Fails the test when wrk does.
 */
#include "wrk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

void wrk_start(struct wrk *w, int port, const char *target, int connections, int seconds, const char *script)
{
    char url[256], c[24], d[24];
    const char *argv[] = {"wrk", "-t1",       "-c", c,    "-d", d,   "--timeout",
                          "10s", "--latency", url,  NULL, NULL, NULL};

    memset(w, 0, sizeof(*w));
    w->seconds = seconds;
    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", port, target);
    snprintf(c, sizeof(c), "%d", connections);
    snprintf(d, sizeof(d), "%ds", seconds);
    if (script != NULL) {
        argv[10] = "-s";
        argv[11] = script;
    }
    run_start(&w->run, argv);
}

/* The number that follows `before` in the report; 0: it is not there. */
static uint64_t wrk_number(const struct wrk *w, const char *before)
{
    const char *at = strstr(w->run.out, before);
    return at == NULL ? 0 : strtoull(at + strlen(before), NULL, 10);
}

/* The number that stands right before `after`. */
static uint64_t wrk_number_before(const struct wrk *w, const char *after)
{
    const char *at = strstr(w->run.out, after);

    while (at != NULL && at > w->run.out && at[-1] >= '0' && at[-1] <= '9') {
        at--;
    }
    return at == NULL ? 0 : strtoull(at, NULL, 10);
}

/* A time like 1.23ms, after `before`: in ms. */
static double wrk_time(const struct wrk *w, const char *before)
{
    const char *at = strstr(w->run.out, before);
    double value;
    char unit[3] = "";

    if (at == NULL || sscanf(at + strlen(before), "%lf%2[a-z]", &value, unit) != 2) {
        return 0;
    }
    return strcmp(unit, "us") == 0 ? value / 1000 : strcmp(unit, "ms") == 0 ? value : value * 1000;
}

void wrk_finish(struct wrk *w)
{
    const char *rate;

    run_finish(&w->run, w->seconds * 1000 + 30000);
    rate = strstr(w->run.out, "Requests/sec:");
    if (run_exit(&w->run) != 0 || rate == NULL) {
        fail_test("wrk failed (status %#x): %s%s", (unsigned)w->run.status, w->run.out, w->run.err);
    }
    w->rate = strtod(rate + strlen("Requests/sec:"), NULL);
    w->p50 = wrk_time(w, "     50% ");
    w->p99 = wrk_time(w, "     99% ");
    w->requests = wrk_number_before(w, " requests in ");
    w->errors = wrk_number(w, "Non-2xx or 3xx responses: ");
    w->connect_errors = wrk_number(w, "Socket errors: connect ");
    w->read_errors = wrk_number(w, ", read ");
    w->write_errors = wrk_number(w, ", write ");
    w->timeouts = wrk_number(w, ", timeout ");
}

uint64_t wrk_socket_errors(const struct wrk *w)
{
    return w->connect_errors + w->read_errors + w->write_errors + w->timeouts;
}
