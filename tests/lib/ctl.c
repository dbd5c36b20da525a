/*
 * lpmctl for tests. Runs in test programs.
 */
#include "ctl.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "wait.h"

#define WORDS_MAX 16

static void start(struct run *run, const struct server *s, va_list words)
{
    const char *argv[WORDS_MAX + 4] = {LPM_BUILD_DIR "/lpmctl", "-p", s->prefix};
    size_t argc = 3;

    while (argc < WORDS_MAX + 3 && (argv[argc] = va_arg(words, const char *)) != NULL) {
        argc++;
    }
    run_start(run, argv);
}

void ctl_start(struct run *run, const struct server *s, ...)
{
    va_list words;

    va_start(words, s);
    start(run, s, words);
    va_end(words);
}

void ctl(const struct server *s, int status, const char *err, ...)
{
    struct run run;
    va_list words;

    va_start(words, err);
    start(&run, s, words);
    va_end(words);
    run_finish(&run, CTL_MS);
    if (run_exit(&run) != status || strstr(run.err, err) == NULL) {
        fail_test("lpmctl: status %d, expected %d; \"%s\", expected to hold \"%s\"", run_exit(&run), status,
                  run.err, err);
    }
    run_free(&run);
}

static uint64_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        fail_test("lpmctl health: no number \"%s\"", name);
    }
    return (uint64_t)json_integer_value(value);
}

static void read_worker(const json_t *object, struct ctl_worker *worker)
{
    const char *pool = json_string_value(json_object_get(object, "pool"));
    const char *state = json_string_value(json_object_get(object, "state"));

    if (!pool || !state) {
        fail_test("lpmctl health: no pool or state");
    }
    memset(worker, 0, sizeof(*worker));
    snprintf(worker->pool, sizeof(worker->pool), "%s", pool);
    snprintf(worker->state, sizeof(worker->state), "%s", state);
    worker->index = (unsigned)number(object, "index");
    worker->pid = (pid_t)number(object, "pid");
    worker->generation = (unsigned)number(object, "generation");
    worker->restarts = (unsigned)number(object, "restarts");
    worker->in_flight = (unsigned)number(object, "in_flight");
    worker->started = (unsigned)number(object, "started");
    worker->sockets = (unsigned)number(object, "sockets");
    worker->requests = number(object, "requests");
    worker->uptime = number(object, "uptime_ms");
    worker->rss = number(object, "rss");
    worker->pressure = number(object, "pressure");
    worker->heap_total = number(object, "heap_total");
    worker->heap_used = number(object, "heap_used");
}

size_t ctl_health(const struct server *s, struct ctl_worker *list, size_t max)
{
    struct run run;
    json_t *answer, *workers;
    size_t count;

    ctl_start(&run, s, "health", "--json", NULL);
    run_finish(&run, CTL_MS);
    answer = json_loads(run.out, 0, NULL);
    workers = json_object_get(answer, "workers");
    if (run_exit(&run) != 0 || !json_is_array(workers)) {
        fail_test("lpmctl health: status %d\n%s\n%s", run_exit(&run), run.out, run.err);
    }
    count = json_array_size(workers);
    for (size_t i = 0; i < count && i < max; i++) {
        read_worker(json_array_get(workers, i), &list[i]);
    }
    json_decref(answer);
    run_free(&run);
    return count;
}

size_t ctl_health_until(const struct server *s, struct ctl_worker *list, size_t max, const char *what,
                        bool (*good)(const struct ctl_worker *list, size_t count, const void *arg),
                        const void *arg)
{
    uint64_t deadline = wait_until(CTL_MS);
    size_t count;

    do {
        count = ctl_health(s, list, max);
        if (wait_left(deadline) == 0) {
            fail_test("no worker list within %d ms with %s", CTL_MS, what);
        }
    } while (!good(list, count, arg));
    return count;
}
