/*
 * The supervisor's side of the module `seed`: listens in the bus to events that do what their name says and answer with what
 * became of it: double, later (answers in 50 ms), mute (never), broadcast "EVENT DATA", health, resize N, soft, hard, sigint
 * (from then on SIGINT is only logged), enqueue ORDER, upload N (as a stream, ended), upload-abort N, download ORDER, handover
 * (a socket pair, one end to a worker; what it says), try TIMEOUT RETRIES ORDER (enqueues; the log tells the outcome),
 * refusals, single (once only). It logs online, childSpawned, childExited, SIGINT, and the end of a soft kill.
 */
#include "seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void on_done(int error, void *arg)
{
    lpm_log(arg, LPM_LOG_NOTICE, "done %d", error);
}

static void on_enqueued(lpm_response *res, void *arg)
{
    char data[1024];
    seed_text(lpm_response_data(res), data, sizeof(data));
    seed_say(arg, "%s%s", lpm_response_error_text(res), data);
}

struct download {
    lpm_supervisor *s;
    lpm_request *req;
};

static void on_download(lpm_response *res, void *arg)
{
    struct download *download = arg;
    if (lpm_response_error(res) || !lpm_response_has_stream(res)) {
        seed_say(download->req, "no stream: %s", lpm_response_error_text(res));
    } else {
        seed_flow_read(lpm_supervisor_event_base(download->s), lpm_response_stream(res), seed_tell_flow,
                       download->req);
    }
    free(download);
}

static int enqueue_with(lpm_supervisor *s, const char *order, int64_t timeout, int64_t retries, int stream,
                        int socket, lpm_response_fn fn, void *arg)
{
    lpm_enqueue spec = {.size = sizeof(spec),
                        .handler = lpm_supervisor_handler(s, "seed"),
                        .data = order,
                        .len = strlen(order),
                        .timeout = timeout,
                        .retries = retries,
                        .stream = stream,
                        .socket = socket};
    return lpm_supervisor_enqueue(s, &spec, fn, arg);
}

static int enqueue(lpm_supervisor *s, const char *order, int stream, int socket, lpm_response_fn fn,
                   void *arg)
{
    return enqueue_with(s, order, LPM_DEFAULT, LPM_DEFAULT, stream, socket, fn, arg);
}

/* The answer to "created" is what the response says as well. */
static void on_tried(lpm_response *res, void *arg)
{
    char data[256], known[256];

    seed_text(lpm_response_data(res), data, sizeof(data));
    snprintf(known, sizeof(known), "%s %llu", lpm_response_id(res),
             (unsigned long long)lpm_response_created_at(res));
    lpm_log(arg, LPM_LOG_NOTICE, "outcome %d: %s", lpm_response_error(res),
            strcmp(data, known) == 0 ? "the same id and time" : data);
}

/* The default is what the configuration says where TIMEOUT or RETRIES is "-". */
static void order_try(lpm_supervisor *s, lpm_request *req, char *order)
{
    char *timeout = order, *retries = seed_word(&order) ? order : NULL;

    if (retries == NULL || seed_word(&order) == NULL) {
        seed_say(req, "try TIMEOUT RETRIES ORDER");
        return;
    }
    seed_say(req, "%d",
             enqueue_with(s, order, strcmp(timeout, "-") == 0 ? LPM_DEFAULT : strtol(timeout, NULL, 10),
                          strcmp(retries, "-") == 0 ? LPM_DEFAULT : strtol(retries, NULL, 10), 0, 0, on_tried,
                          s));
}

static void order_health(lpm_supervisor *s, lpm_request *req, char *data)
{
    lpm_health list[64];
    size_t count = lpm_supervisor_health(s, list, 64);
    char text[SEED_TEXT_SIZE] = "";
    size_t used = 0;
    (void)data;

    for (size_t i = 0; i < count && i < 64 && used < sizeof(text); i++) {
        used += (size_t)snprintf(
            text + used, sizeof(text) - used,
            "%s/%u pid=%d state=%d gen=%u restarts=%u in_flight=%u started=%u sockets=%u requests=%llu "
            "uptime=%llu rss=%llu heap=%llu/%llu\n",
            list[i].pool, list[i].index, list[i].pid, list[i].state, list[i].generation, list[i].restarts,
            list[i].in_flight, list[i].started, list[i].sockets, (unsigned long long)list[i].requests,
            (unsigned long long)list[i].uptime, (unsigned long long)list[i].rss,
            (unsigned long long)list[i].heap_used, (unsigned long long)list[i].heap_total);
    }
    seed_say(req, "%s", text);
}

static void on_sigint(lpm_event *ev, void *arg)
{
    (void)ev;
    lpm_log(arg, LPM_LOG_NOTICE, "heard SIGINT");
}

static void upload(lpm_supervisor *s, lpm_request *req, size_t size, int abort)
{
    int fds[2];
    if (lpm_stream_pair(s, fds) != 0 || enqueue(s, "stream", fds[0], 0, on_enqueued, req) != 0) {
        seed_say(req, "no stream");
        return;
    }
    seed_source_write(s, lpm_supervisor_event_base(s), fds[1], size, abort);
}

static void ignore(lpm_response *res, void *arg)
{
    (void)res;
    (void)arg;
}

static void order_handover(lpm_supervisor *s, lpm_request *req, char *data)
{
    int fds[2];
    (void)data;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0 ||
        enqueue(s, "socket", 0, fds[0], ignore, NULL) != 0) {
        seed_say(req, "no socket");
        return;
    }
    send(fds[1], "again\n", 6, MSG_NOSIGNAL);
    shutdown(fds[1], SHUT_WR);
    seed_flow_read(lpm_supervisor_event_base(s), fds[1], seed_tell_flow, req);
}

static void order_refusals(lpm_supervisor *s, lpm_request *req, char *data)
{
    char longest[66];
    (void)data;
    memset(longest, 'n', 65);
    longest[65] = '\0';
    seed_say(req, "%d %d %d %d %d %d %d", lpm_supervisor_on(s, NULL, on_sigint, s),
             lpm_supervisor_on(s, longest, on_sigint, s), lpm_supervisor_off(s, "none", on_sigint, s),
             lpm_supervisor_broadcast(s, "nopool", "e", "", 0, 0),
             lpm_supervisor_broadcast(s, NULL, "e", "", (size_t)2 << 30, 0),
             lpm_supervisor_resize(s, NULL, 0, NULL, NULL),
             lpm_supervisor_resize(s, "nopool", 2, NULL, NULL));
}

static void order_double(lpm_supervisor *s, lpm_request *req, char *data)
{
    (void)s;
    seed_say(req, "%ld", 2 * strtol(data, NULL, 10));
}

static void order_later(lpm_supervisor *s, lpm_request *req, char *data)
{
    seed_answer_later(lpm_supervisor_event_base(s), req, 50, data);
}

static void order_mute(lpm_supervisor *s, lpm_request *req, char *data)
{
    (void)s;
    (void)req;
    (void)data;
}

static void order_broadcast(lpm_supervisor *s, lpm_request *req, char *data)
{
    char *rest = data;
    seed_word(&rest);
    seed_say(req, "%d",
             lpm_supervisor_broadcast(s, NULL, data, rest ? rest : "", rest ? strlen(rest) : 0, 0));
}

/* Not answered when it is done: the one who asks may be one who has to go. */
static void order_resize(lpm_supervisor *s, lpm_request *req, char *data)
{
    seed_say(req, "%d", lpm_supervisor_resize(s, NULL, (unsigned)strtol(data, NULL, 10), on_done, s));
}

static void order_soft(lpm_supervisor *s, lpm_request *req, char *data)
{
    int first = lpm_supervisor_soft_kill(s, on_done, s), second = lpm_supervisor_soft_kill(s, NULL, NULL);
    (void)data;
    seed_say(req, "%d %d", first, second);
}

static void order_hard(lpm_supervisor *s, lpm_request *req, char *data)
{
    (void)data;
    seed_say(req, "%d", lpm_supervisor_hard_kill(s));
}

static void order_sigint(lpm_supervisor *s, lpm_request *req, char *data)
{
    (void)data;
    seed_say(req, "%d", lpm_supervisor_on(s, "SIGINT", on_sigint, s));
}

static void order_enqueue(lpm_supervisor *s, lpm_request *req, char *data)
{
    int rc = enqueue(s, data, 0, 0, on_enqueued, req);
    if (rc != 0) {
        seed_say(req, "enqueue: %d", rc);
    }
}

static void order_upload(lpm_supervisor *s, lpm_request *req, char *data)
{
    upload(s, req, (size_t)strtol(data, NULL, 10), 0);
}

static void order_upload_abort(lpm_supervisor *s, lpm_request *req, char *data)
{
    upload(s, req, (size_t)strtol(data, NULL, 10), 1);
}

static void order_download(lpm_supervisor *s, lpm_request *req, char *data)
{
    struct download *download = calloc(1, sizeof(*download));
    download->s = s;
    download->req = req;
    enqueue(s, data, 0, 0, on_download, download);
}

static void order_single(lpm_supervisor *s, lpm_request *req, char *data)
{
    (void)s;
    (void)data;
    seed_say(req, "heard");
}

static const struct {
    const char *name;
    void (*run)(lpm_supervisor *s, lpm_request *req, char *data);
} orders[] = {
    {"double", order_double},       {"later", order_later},       {"mute", order_mute},
    {"broadcast", order_broadcast}, {"health", order_health},     {"resize", order_resize},
    {"soft", order_soft},           {"hard", order_hard},         {"sigint", order_sigint},
    {"enqueue", order_enqueue},     {"upload", order_upload},     {"upload-abort", order_upload_abort},
    {"download", order_download},   {"handover", order_handover}, {"try", order_try},
    {"refusals", order_refusals},   {"single", order_single}, /* the last: it is heard only once */
};

#define ORDERS (sizeof(orders) / sizeof(orders[0]))

static void on_order(lpm_event *ev, void *arg)
{
    char data[512];

    seed_text(lpm_event_data(ev), data, sizeof(data));
    for (size_t i = 0; i < ORDERS; i++) {
        if (strcmp(lpm_event_name(ev), orders[i].name) == 0) {
            orders[i].run(arg, lpm_event_request(ev), data);
        }
    }
}

static void on_worker(lpm_event *ev, void *arg)
{
    lpm_health worker;
    char text[64];
    seed_text(lpm_event_data(ev), text, sizeof(text));
    if (lpm_event_worker(ev, &worker) == 0) {
        lpm_log(arg, LPM_LOG_NOTICE, "heard %s %s/%u %s", lpm_event_name(ev), worker.pool, worker.index,
                text);
    } else {
        lpm_log(arg, LPM_LOG_NOTICE, "heard %s", lpm_event_name(ev));
    }
}

int seed_supervisor_init(lpm_supervisor *s)
{
    static const char *const own[] = {"online", "childSpawned", "childExited"};

    for (size_t i = 0; i < ORDERS - 1; i++) {
        lpm_supervisor_on(s, orders[i].name, on_order, s);
    }
    lpm_supervisor_once(s, orders[ORDERS - 1].name, on_order, s);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        lpm_supervisor_on(s, own[i], on_worker, s);
    }
    return 0;
}
