/*
 * The handler `ruler`, and a supervisor's side that rules.
 *
 *     ruler_online N;   the default pool is resized to N workers in the hook `supervisor_online`
 *     ruler_refuse F;   while there is a file F below the prefix, workers do not start: with "never" in it they do not become
 *                       ready, else their init refuses
 *
 * SIGINT makes it soft-kill lpm, as the seed's example does, and try to enqueue once more. The request's data is an order:
 * "busy", "ready" (of the worker that gets it), "hold MS", "grow BYTES" (answers with the pid; the memory is never freed).
 */
#define LPM_NEEDS 1
#include <lpm/module.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* -- In a worker -------------------------------------------------------------------------------------- */

static void *grown; /* the last block, which begins with the address of the one before */

struct held {
    lpm_request *req;
    struct event *timer;
};

static void on_held(evutil_socket_t fd, short what, void *arg)
{
    struct held *held = arg;

    (void)fd;
    (void)what;
    lpm_respond_text(held->req, "held");
    event_free(held->timer);
    free(held);
}

static void hold(lpm_request *req, long ms)
{
    struct timeval wait = {ms / 1000, ms % 1000 * 1000};
    struct held *held = calloc(1, sizeof(*held));

    held->req = req;
    held->timer = evtimer_new(lpm_worker_event_base(lpm_request_worker(req)), on_held, held);
    event_add(held->timer, &wait);
}

static void grow(lpm_request *req, size_t bytes)
{
    void **block = malloc(bytes);
    char pid[32];

    memset(block, 1, bytes);
    *block = grown;
    grown = block;
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    lpm_respond_text(req, pid);
}

static void request(lpm_request *req)
{
    lpm_slice data = lpm_request_data(req);
    char order[64] = "";

    memcpy(order, data.data, data.len < sizeof(order) - 1 ? data.len : sizeof(order) - 1);
    if (strcmp(order, "busy") == 0) {
        lpm_worker_busy(lpm_request_worker(req));
        lpm_ack(req);
    } else if (strncmp(order, "hold ", 5) == 0) {
        hold(req, strtol(order + 5, NULL, 10));
    } else if (strncmp(order, "grow ", 5) == 0) {
        grow(req, strtoul(order + 5, NULL, 10));
    } else {
        lpm_respond_text(req, "unknown order");
    }
}

/* A file that says how the start goes wrong: its first letter; 0: there is none. */
static int refusal(const lpm_conf *root)
{
    const char *name = lpm_conf_string(root, "ruler_refuse", NULL);
    FILE *file = name ? fopen(name, "re") : NULL;
    int letter = 0;

    if (file) {
        letter = fgetc(file);
        fclose(file);
    }
    return letter;
}

static int worker_init(lpm_worker *w)
{
    int letter = refusal(lpm_worker_conf(w));

    if (letter == 'n') {
        return 0;
    }
    return letter ? 1 : lpm_worker_ready(w);
}

/* -- In the bus --------------------------------------------------------------------------------------- */

static void on_resized(int error, void *arg)
{
    lpm_log(arg, LPM_LOG_NOTICE, "resized: %d", error);
}

static void on_soft_killed(int error, void *arg)
{
    lpm_log(arg, LPM_LOG_NOTICE, "soft kill is done: %d", error);
}

static void on_sigint(lpm_event *ev, void *arg)
{
    lpm_supervisor *s = arg;
    lpm_enqueue spec = {.size = sizeof(spec),
                        .handler = lpm_supervisor_handler(s, "ruler"),
                        .timeout = LPM_DEFAULT,
                        .retries = LPM_DEFAULT};

    lpm_log(s, LPM_LOG_NOTICE, "%s: soft kill %d", lpm_event_name(ev),
            lpm_supervisor_soft_kill(s, on_soft_killed, s));
    lpm_log(s, LPM_LOG_NOTICE, "enqueue: %d", lpm_supervisor_enqueue(s, &spec, NULL, NULL));
}

static int supervisor_init(lpm_supervisor *s)
{
    return lpm_supervisor_on(s, "SIGINT", on_sigint, s);
}

static void supervisor_online(lpm_supervisor *s)
{
    int64_t count = lpm_conf_value(lpm_supervisor_conf(s), "ruler_online", 0);

    if (count > 0) {
        lpm_log(s, LPM_LOG_NOTICE, "resize: %d",
                lpm_supervisor_resize(s, NULL, (unsigned)count, on_resized, s));
    }
}

static const lpm_directive directives[] = {
    {.name = "ruler_online", .context = "main", .type = LPM_CONF_NUMBER, .min = 1, .max = 1024},
    {.name = "ruler_refuse", .context = "main", .type = LPM_CONF_STRING},
    {.name = NULL},
};

LPM_MODULE(.name = "ruler", .version = "1.0", .directives = directives, .request = request,
           .worker_init = worker_init, .supervisor_init = supervisor_init,
           .supervisor_online = supervisor_online);
