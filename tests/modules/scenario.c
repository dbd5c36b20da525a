/*
 * The handler `scenario`: what tests/peer/scenario.js does on the npm package, on lpm. It begins when all workers are online,
 * logs a line "ledger: ..." for each outcome, and ends lpm.
 *
 *     scenario main | timeout | busy | retries;
 *
 * A request's data is "WHAT N", as the package's {what, n}.
 */
#define LPM_NEEDS 1
#include <lpm/module.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUESTS 1000
#define WORKERS  2
#define ID_SIZE  37

static void after(struct event_base *base, int ms, event_callback_fn fn, void *arg)
{
    const struct timeval wait = {ms / 1000, ms % 1000 * 1000};
    if (event_base_once(base, -1, EV_TIMEOUT, fn, arg, &wait) != 0) {
        abort();
    }
}

static void read_order(lpm_slice data, char what[16], long *n)
{
    char text[64];
    snprintf(text, sizeof(text), "%.*s", (int)data.len, data.data);
    *n = 0;
    what[0] = '\0';
    sscanf(text, "%15s %ld", what, n);
}

/* -- The worker's side -------------------------------------------------------------------------------- */

static void answer(lpm_request *req, long n)
{
    char text[32];
    snprintf(text, sizeof(text), "%ld", n);
    lpm_respond(req, text, strlen(text));
}

static void answer_now(evutil_socket_t fd, short what, void *arg)
{
    char order[16];
    long n;
    (void)fd;
    (void)what;
    read_order(lpm_request_data(arg), order, &n);
    answer(arg, n);
}

static void on_double(lpm_response *res, void *arg)
{
    lpm_slice data = lpm_response_data(res);
    lpm_respond(arg, data.data, data.len);
}

static void ready_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    lpm_worker_ready(arg);
}

static void request(lpm_request *req)
{
    lpm_worker *w = lpm_request_worker(req);
    struct event_base *base = lpm_worker_event_base(w);
    char what[16], text[32];
    long n;

    read_order(lpm_request_data(req), what, &n);
    if (strcmp(what, "echo") == 0) {
        answer(req, n);
    } else if (strcmp(what, "ack") == 0) {
        lpm_ack(req);
    } else if (strcmp(what, "later") == 0) {
        after(base, (int)(n % 7), answer_now, req);
    } else if (strcmp(what, "emit") == 0) {
        snprintf(text, sizeof(text), "%ld", n);
        lpm_worker_emit(w, "double", text, strlen(text), on_double, req);
    } else if (strcmp(what, "slow") == 0) {
        after(base, 500, answer_now, req);
    } else if (strcmp(what, "pid") == 0) {
        answer(req, getpid());
    } else if (strcmp(what, "busy") == 0) {
        lpm_worker_busy(w);
        after(base, 300, ready_again, w);
        answer(req, getpid());
    } else if (strcmp(what, "die") == 0) {
        _exit(3);
    } /* silent: never */
}

static void on_note(lpm_event *ev, void *arg)
{
    lpm_slice data = lpm_event_data(ev);
    lpm_worker_emit(arg, "noted", data.data, data.len, NULL, NULL);
}

static int worker_init(lpm_worker *w)
{
    int rc = lpm_worker_on(w, "note", on_note, w);
    return rc == 0 ? lpm_worker_ready(w) : rc;
}

/* -- The supervisor's side ---------------------------------------------------------------------------- */

struct scenario {
    lpm_supervisor *s;
    int left, noted, answered, reached, exited;
    long busy;
    char outcome[32];
    char ids[REQUESTS][ID_SIZE];
};

/* What an outcome is for: the request's number, and what it was. */
struct asked {
    struct scenario *all;
    const char *what;
    int n;
    void (*then)(struct scenario *all, const struct asked *asked, const char *outcome, const char *id);
};

static void on_outcome(lpm_response *res, void *arg)
{
    struct asked *asked = arg;
    lpm_slice data = lpm_response_data(res);
    char outcome[32];

    snprintf(outcome, sizeof(outcome), "%.*s", (int)data.len, data.data);
    asked->then(asked->all, asked,
                lpm_response_error(res) ? "error"
                : data.len              ? outcome
                                        : "nothing",
                lpm_response_id(res));
    free(asked);
}

static void ask(struct scenario *all, const char *what, int n, int64_t timeout, int64_t retries,
                void (*then)(struct scenario *, const struct asked *, const char *, const char *))
{
    struct asked *asked = calloc(1, sizeof(*asked));
    char data[64];
    const lpm_enqueue spec = {.size = sizeof(spec),
                              .handler = lpm_supervisor_handler(all->s, "scenario"),
                              .data = data,
                              .len = (size_t)snprintf(data, sizeof(data), "%s %d", what, n),
                              .timeout = timeout,
                              .retries = retries};

    *asked = (struct asked){all, what, n, then};
    if (lpm_supervisor_enqueue(all->s, &spec, on_outcome, asked) != 0) {
        then(all, asked, "error", "");
        free(asked);
    }
}

#define LEDGER(all, ...) lpm_log((all)->s, LPM_LOG_NOTICE, "ledger: " __VA_ARGS__)

static void on_open(struct scenario *all, const struct asked *asked, const char *outcome, const char *id)
{
    (void)id;
    all->answered++;
    LEDGER(all, "open at soft kill %d %s", asked->n, outcome);
}

static void on_refused(struct scenario *all, const struct asked *asked, const char *outcome, const char *id)
{
    (void)asked;
    (void)id;
    LEDGER(all, "after soft kill began %s", outcome);
}

static void on_soft_killed(int error, void *arg)
{
    struct scenario *all = arg;
    LEDGER(all, "soft kill done after %d answers%s", all->answered, error ? ", with an error" : "");
}

static void soft_kill(evutil_socket_t fd, short what, void *arg)
{
    struct scenario *all = arg;
    (void)fd;
    (void)what;
    lpm_supervisor_soft_kill(all->s, on_soft_killed, all);
    ask(all, "echo", 0, LPM_DEFAULT, LPM_DEFAULT, on_refused);
}

static void on_noted(lpm_event *ev, void *arg)
{
    struct scenario *all = arg;
    lpm_slice data = lpm_event_data(ev);

    if (++all->noted == WORKERS) {
        LEDGER(all, "broadcast %.*s noted by %d", (int)data.len, data.data, all->noted);
        for (int i = 0; i < 4; i++) {
            ask(all, "slow", i, LPM_DEFAULT, LPM_DEFAULT, on_open);
        }
        after(lpm_supervisor_event_base(all->s), 100, soft_kill, all);
    }
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, ID_SIZE);
}

static int count_ids(struct scenario *all)
{
    int count = 1;
    qsort(all->ids, REQUESTS, ID_SIZE, compare_ids);
    for (int i = 1; i < REQUESTS; i++) {
        count += memcmp(all->ids[i - 1], all->ids[i], ID_SIZE) != 0;
    }
    return count;
}

static void on_mixed(struct scenario *all, const struct asked *asked, const char *outcome, const char *id)
{
    snprintf(all->ids[asked->n], ID_SIZE, "%s", id);
    LEDGER(all, "request %d %s %s", asked->n, asked->what, outcome);
    if (--all->left == 0) {
        LEDGER(all, "ids %d", count_ids(all));
        lpm_supervisor_broadcast(all->s, NULL, "note", "7", 1, 0);
    }
}

static void begin_main(struct scenario *all)
{
    static const char *const kinds[] = {"echo", "ack", "later", "emit"};

    all->left = REQUESTS;
    for (int i = 0; i < REQUESTS; i++) {
        ask(all, kinds[i % 4], i, LPM_DEFAULT, LPM_DEFAULT, on_mixed);
    }
}

/* -- Where the package does otherwise ------------------------------------------------------------------ */

static void on_soft_killed_after_timeout(int error, void *arg)
{
    LEDGER((struct scenario *)arg, "soft kill after a timeout: %s", error ? "not done" : "done");
}

static void on_timeout(struct scenario *all, const struct asked *asked, const char *outcome, const char *id)
{
    (void)asked;
    (void)id;
    LEDGER(all, "timeout %s", outcome);
    lpm_supervisor_soft_kill(all->s, on_soft_killed_after_timeout, all);
}

static void begin_timeout(struct scenario *all)
{
    ask(all, "silent", 0, 100, LPM_DEFAULT, on_timeout);
}

static void tell_ready_again(evutil_socket_t fd, short what, void *arg)
{
    struct scenario *all = arg;
    (void)fd;
    (void)what;
    LEDGER(all, "ready again: %s", all->exited ? "the worker died" : "the worker lives");
    lpm_supervisor_hard_kill(all->s);
}

static void on_pid(struct scenario *all, const struct asked *asked, const char *outcome, const char *id)
{
    (void)asked;
    (void)id;
    all->reached += strtol(outcome, NULL, 10) == all->busy;
    if (--all->left == 0) {
        LEDGER(all, "a busy worker gets %s", all->reached ? "requests" : "nothing");
        after(lpm_supervisor_event_base(all->s), 800, tell_ready_again, all);
    }
}

static void on_busy(struct scenario *all, const struct asked *asked, const char *outcome, const char *id)
{
    (void)asked;
    (void)id;
    all->busy = strtol(outcome, NULL, 10);
    all->left = 20;
    for (int i = 0; i < 20; i++) {
        ask(all, "pid", i, LPM_DEFAULT, LPM_DEFAULT, on_pid);
    }
}

static void begin_busy(struct scenario *all)
{
    ask(all, "busy", 0, LPM_DEFAULT, LPM_DEFAULT, on_busy);
}

static void on_died(struct scenario *all, const struct asked *asked, const char *outcome, const char *id)
{
    (void)asked;
    (void)id;
    snprintf(all->outcome, sizeof(all->outcome), "%s", outcome);
}

static void tell_retries(evutil_socket_t fd, short what, void *arg)
{
    struct scenario *all = arg;
    (void)fd;
    (void)what;
    LEDGER(all, "retries 1: %d runs, %s", all->exited, all->outcome);
    lpm_supervisor_hard_kill(all->s);
}

static void begin_retries(struct scenario *all)
{
    snprintf(all->outcome, sizeof(all->outcome), "no answer");
    ask(all, "die", 0, LPM_DEFAULT, 1, on_died);
    after(lpm_supervisor_event_base(all->s), 2000, tell_retries, all);
}

static void on_double_event(lpm_event *ev, void *arg)
{
    char text[32];
    lpm_slice data = lpm_event_data(ev);
    (void)arg;
    snprintf(text, sizeof(text), "%.*s", (int)data.len, data.data);
    answer(lpm_event_request(ev), 2 * strtol(text, NULL, 10));
}

static void on_child_exited(lpm_event *ev, void *arg)
{
    struct scenario *all = arg;
    (void)ev;
    all->exited++;
}

static int supervisor_init(lpm_supervisor *s)
{
    static struct scenario one; /* that of the bus's process */
    struct scenario *all = &one;

    all->s = s;
    lpm_supervisor_set_context(s, all);
    lpm_supervisor_on(s, "double", on_double_event, all);
    lpm_supervisor_on(s, "noted", on_noted, all);
    lpm_supervisor_on(s, "childExited", on_child_exited, all);
    return 0;
}

static void supervisor_online(lpm_supervisor *s)
{
    static void (*const parts[])(struct scenario *) = {begin_main, begin_timeout, begin_busy, begin_retries};
    struct scenario *all = lpm_supervisor_context(s);

    LEDGER(all, "online");
    parts[lpm_conf_value(lpm_supervisor_conf(s), "scenario", 0)](all);
}

static const lpm_directive directives[] = {{.name = "scenario",
                                            .context = "main",
                                            .type = LPM_CONF_ENUM,
                                            .words = "main|timeout|busy|retries",
                                            .value = "main",
                                            .help = "which part is played"},
                                           {.name = NULL}};

LPM_MODULE(.name = "scenario", .version = "1.0", .directives = directives, .request = request,
           .worker_init = worker_init, .supervisor_init = supervisor_init,
           .supervisor_online = supervisor_online);
