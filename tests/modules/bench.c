/*
 * What tests/bench measures on. In workers, the handler `bench`: it answers "hello\n"; for the path /N with N bytes; and a
 * request that is not HTTP with its own data.
 *
 * In the bus, round trips as directives say:
 *
 *     bench_round_trips OUTSTANDING BYTES MILLISECONDS FIGURE WHO;
 *
 * One after another, when all workers are up: so many requests wait for their answer at any time, each of so many bytes.
 * What came of it is logged, "figure: " and a line as of tests/lib/figure.h; after the last lpm ends itself.
 */
#define LPM_NEEDS 1
#include <lpm/module.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BODY_MAX  ((size_t)1 << 20)
#define TIMES_MAX ((size_t)1 << 20)
#define FILL      4096 /* enqueued in one turn of the loop */
#define WARM      1000 /* answers before the clock starts, if so many are outstanding */

#define CLOCK_EACH 32 /* answers */

/* -- The worker's side -------------------------------------------------------------------------------- */

static void request(lpm_request *req)
{
    static char body[BODY_MAX];
    lpm_slice path = lpm_request_header(req, ":path"), data = lpm_request_data(req);
    size_t len = 0;

    if (path.len == 0) {
        lpm_respond(req, data.data, data.len);
        return;
    }
    for (size_t i = 1; i < path.len && path.data[i] >= '0' && path.data[i] <= '9'; i++) {
        len = len * 10 + (size_t)(path.data[i] - '0');
    }
    if (len == 0 || len > BODY_MAX) {
        lpm_respond_text(req, "hello\n");
        return;
    }
    if (body[0] == '\0') {
        memset(body, 'x', sizeof(body));
    }
    lpm_respond_header(req, "content-type", "text/plain");
    lpm_respond(req, body, len);
}

/* -- The bus's side ----------------------------------------------------------------------------------- */

struct bench {
    lpm_supervisor *s;
    const lpm_handler *handler;
    struct event *again; /* the next step, from the loop */
    const lpm_conf *step;
    char *data;
    /* Of the present step: */
    size_t outstanding, len, sent, answered, done;
    uint64_t duration, begun, cpu_begun, last;
    uint64_t *times; /* what each took, with one outstanding */
    size_t time_count;
    int over;
};

static uint64_t now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static size_t number(const lpm_conf *step, size_t i)
{
    return strtoul(lpm_conf_arg(step, i).data, NULL, 10);
}

static void step_begin(struct bench *b)
{
    b->outstanding = number(b->step, 0);
    b->len = number(b->step, 1);
    b->duration = (uint64_t)number(b->step, 2) * 1000000;
    b->sent = b->answered = b->done = b->time_count = 0;
    b->begun = 0;
    b->over = 0;
    event_active(b->again, 0, 0);
}

static void print(const struct bench *b, double value, const char *unit)
{
    lpm_log(b->s, LPM_LOG_NOTICE,
            "figure: {\"figure\": \"%s\", \"who\": \"%s\", \"value\": %.9g, \"unit\": \"%s\"}",
            lpm_conf_arg(b->step, 3).data, lpm_conf_arg(b->step, 4).data, value, unit);
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The last step's requests are left to the end of lpm. */
static void step_end(struct bench *b, uint64_t at)
{
    double done = (double)b->done;

    b->over = 1;
    print(b, done * 1e9 / (double)(at - b->begun), "round trips/s");
    print(b, (double)(now(CLOCK_PROCESS_CPUTIME_ID) - b->cpu_begun) / 1e3 / done, "bus CPU us/request");
    if (b->time_count > 0) {
        size_t middle = b->time_count / 2;
        qsort(b->times, b->time_count, sizeof(*b->times), by_size);
        print(b, (double)b->times[middle] / 1e3, "us, p50");
    }
    b->step = lpm_conf_next(b->step);
    if (!b->step) {
        lpm_supervisor_hard_kill(b->s);
    }
}

/* With several outstanding the clock would be a good part of what is measured: it is looked at now and then. */
static void count(struct bench *b)
{
    uint64_t at;

    b->answered++;
    b->done++;
    if (b->outstanding > 1 && b->answered % CLOCK_EACH != 0) {
        return;
    }
    at = now(CLOCK_MONOTONIC);
    if (b->begun == 0) {
        if (b->sent >= b->outstanding && b->answered >= (b->outstanding < WARM ? b->outstanding : WARM)) {
            b->begun = at;
            b->cpu_begun = now(CLOCK_PROCESS_CPUTIME_ID);
            b->done = 0;
        }
    } else if (!b->over) {
        if (b->outstanding == 1 && b->time_count < TIMES_MAX) {
            b->times[b->time_count++] = at - b->last;
        }
        if (at - b->begun >= b->duration) {
            step_end(b, at);
        }
    }
    b->last = at;
}

static void send_one(struct bench *b);

static void on_response(lpm_response *res, void *arg)
{
    struct bench *b = arg;

    if (b->over && !b->step) {
        return;
    }
    if (lpm_response_error(res) != 0 || lpm_response_data(res).len != b->len) {
        lpm_log(b->s, LPM_LOG_CRIT, "a round trip failed: %s", lpm_response_error_text(res));
        lpm_supervisor_hard_kill(b->s);
        return;
    }
    count(b);
    if (!b->over) {
        send_one(b);
    } else if (b->step && b->answered == b->sent) {
        step_begin(b);
    }
}

static void send_one(struct bench *b)
{
    const lpm_enqueue spec = {.size = sizeof(spec),
                              .handler = b->handler,
                              .data = b->data,
                              .len = b->len,
                              .timeout = LPM_NONE,
                              .retries = 0};
    int rc = lpm_supervisor_enqueue(b->s, &spec, on_response, b);

    if (rc != 0) {
        lpm_log(b->s, LPM_LOG_CRIT, "a request was refused: error %d", rc);
        lpm_supervisor_hard_kill(b->s);
    }
    b->sent++;
}

/* The first of a step are enqueued in several turns, as they would come. */
static void on_again(evutil_socket_t fd, short what, void *arg)
{
    struct bench *b = arg;

    (void)fd;
    (void)what;
    for (int i = 0; i < FILL && b->sent - b->answered < b->outstanding; i++) {
        send_one(b);
    }
    if (b->begun == 0 && b->sent < b->outstanding) {
        event_active(b->again, 0, 0);
    }
}

static void online(lpm_supervisor *s)
{
    struct bench *b = lpm_supervisor_context(s);
    if (b->step) {
        step_begin(b);
    }
}

static int supervisor_init(lpm_supervisor *s)
{
    static struct bench bench;
    struct bench *b = &bench;

    b->s = s;
    b->step = lpm_conf_child(lpm_supervisor_conf(s), "bench_round_trips");
    b->handler = lpm_supervisor_handler(s, "bench");
    b->again = event_new(lpm_supervisor_event_base(s), -1, 0, on_again, b);
    b->data = malloc(BODY_MAX);
    b->times = malloc(TIMES_MAX * sizeof(*b->times));
    lpm_supervisor_set_context(s, b);
    if (!b->again || !b->data || !b->times) {
        return LPM_ENOMEM;
    }
    memset(b->data, 'x', BODY_MAX);
    return 0;
}

static const lpm_directive directives[] = {{.name = "bench_round_trips",
                                            .context = "main",
                                            .type = LPM_CONF_STRINGS,
                                            .flags = LPM_CONF_MANY,
                                            .args_min = 5,
                                            .args_max = 5,
                                            .help = "a measurement"},
                                           {.name = NULL}};

LPM_MODULE(.name = "bench", .version = "1.0", .directives = directives, .request = request,
           .supervisor_init = supervisor_init, .supervisor_online = online);
