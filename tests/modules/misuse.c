/*
 * The handler `misuse`: calls lpm as one must not. The request's data is the order; what the call gave is in the log as
 * "ORDER gave CODE" and, where the request is not answered by the order itself, in its answer. The orders stand in the tables
 * at the end. Those of the second table are carried out in the bus: the worker emits the order. When the process is hard
 * killed, its worker emits as well.
 */
#define LPM_NEEDS 1
#include <lpm/module.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TWO_GIB    ((size_t)2 << 30)
#define OVER_LIMIT (((size_t)1 << 30) + 1)

static void ignore(lpm_event *ev, void *arg)
{
    (void)ev;
    (void)arg;
}

static void ignore_response(lpm_response *res, void *arg)
{
    (void)res;
    (void)arg;
}

/* -- In the worker ------------------------------------------------------------------------------------ */

static lpm_request *kept; /* of the order "keep", answered long ago */

static int respond_twice(lpm_request *req)
{
    lpm_respond_text(req, "first");
    return lpm_respond_text(req, "second");
}

static int ack_then_respond(lpm_request *req)
{
    lpm_ack(req);
    return lpm_respond(req, "x", 1);
}

static int respond_then_ack(lpm_request *req)
{
    lpm_respond(req, "x", 1);
    return lpm_ack(req);
}

static int keep(lpm_request *req)
{
    kept = req;
    return lpm_ack(req);
}

static int header_of_freed(lpm_request *req)
{
    (void)req;
    return lpm_respond_header(kept, "a", "b");
}

static int respond_freed(lpm_request *req)
{
    (void)req;
    return lpm_respond(kept, "x", 1);
}

static int watch_freed(lpm_request *req)
{
    (void)req;
    return lpm_request_on_cancel(kept, NULL, NULL);
}

static int stream_to_freed(lpm_request *req)
{
    (void)req;
    return lpm_respond_stream(kept, "", 0, 0);
}

static int null_header(lpm_request *req)
{
    return lpm_respond_header(req, NULL, "b");
}

static int null_value(lpm_request *req)
{
    return lpm_respond_header(req, "a", NULL);
}

static int null_text(lpm_request *req)
{
    return lpm_respond_text(req, NULL);
}

static int null_data(lpm_request *req)
{
    return lpm_respond(req, NULL, 1);
}

static int respond_two_gib(lpm_request *req)
{
    return lpm_respond(req, "x", TWO_GIB);
}

static int respond_over_limit(lpm_request *req)
{
    return lpm_respond(req, "x", OVER_LIMIT);
}

static int headers_over_limit(lpm_request *req)
{
    static char value[65536];
    memset(value, 'v', sizeof(value) - 1);
    return lpm_respond_header(req, "a", value);
}

static int stream_of_none(lpm_request *req)
{
    return lpm_respond_stream(req, "", 0, -1);
}

static int emit_null(lpm_request *req)
{
    return lpm_worker_emit(lpm_request_worker(req), NULL, "", 0, NULL, NULL);
}

static int emit_own_of_lpm(lpm_request *req)
{
    return lpm_worker_emit(lpm_request_worker(req), "online", "", 0, NULL, NULL);
}

static int emit_two_gib(lpm_request *req)
{
    return lpm_worker_emit(lpm_request_worker(req), "e", "x", TWO_GIB, NULL, NULL);
}

/* A call of its own handler. */
static int call(lpm_request *req, const lpm_enqueue *change)
{
    lpm_worker *w = lpm_request_worker(req);
    lpm_enqueue spec = *change;

    spec.size = sizeof(spec);
    if (!spec.handler) {
        spec.handler = lpm_worker_handler(w, lpm_request_handler(req));
    }
    return lpm_worker_call(w, &spec, ignore_response, NULL);
}

static int call_null(lpm_request *req)
{
    return lpm_worker_call(lpm_request_worker(req), NULL, ignore_response, NULL);
}

static int call_nobody(lpm_request *req)
{
    lpm_enqueue spec = {.size = sizeof(spec)};
    return lpm_worker_call(lpm_request_worker(req), &spec, ignore_response, NULL);
}

static int call_a_stranger(lpm_request *req)
{
    lpm_enqueue spec = {.handler = (const lpm_handler *)(const void *)&spec};
    return call(req, &spec);
}

static int call_with_socket(lpm_request *req)
{
    lpm_enqueue spec = {.socket = 2};
    return call(req, &spec);
}

static int call_two_gib(lpm_request *req)
{
    lpm_enqueue spec = {.data = "x", .len = TWO_GIB};
    return call(req, &spec);
}

static int on_null(lpm_request *req)
{
    return lpm_worker_on(lpm_request_worker(req), NULL, ignore, NULL);
}

static int once_without_function(lpm_request *req)
{
    return lpm_worker_once(lpm_request_worker(req), "e", NULL, NULL);
}

static int off_nothing(lpm_request *req)
{
    return lpm_worker_off(lpm_request_worker(req), "e", ignore, NULL);
}

static int close_twice(lpm_request *req)
{
    lpm_worker *w = lpm_request_worker(req);
    int fd = lpm_request_socket(req);

    return fd < 0 ? fd : lpm_socket_close(w, fd) == 0 ? lpm_socket_close(w, fd) : 0;
}

static int done_before_soft_kill(lpm_request *req)
{
    return lpm_worker_soft_kill_done(lpm_request_worker(req));
}

/* -- In the bus --------------------------------------------------------------------------------------- */

static lpm_enqueue order_of(lpm_supervisor *s, const char *data, size_t len)
{
    lpm_enqueue spec = {.size = sizeof(spec),
                        .handler = lpm_supervisor_handler(s, "misuse"),
                        .data = data,
                        .len = len,
                        .timeout = LPM_DEFAULT,
                        .retries = LPM_DEFAULT};
    return spec;
}

static int enqueue(lpm_supervisor *s, const lpm_enqueue *spec)
{
    return lpm_supervisor_enqueue(s, spec, ignore_response, NULL);
}

static int enqueue_for_nobody(lpm_supervisor *s, lpm_request *req)
{
    lpm_enqueue spec = order_of(s, "", 0);
    (void)req;
    spec.handler = lpm_supervisor_handler(s, "nobody");
    return enqueue(s, &spec);
}

static int enqueue_for_null(lpm_supervisor *s, lpm_request *req)
{
    lpm_enqueue spec = order_of(s, "", 0);
    (void)req;
    spec.handler = lpm_supervisor_handler(s, NULL);
    return enqueue(s, &spec);
}

static int enqueue_for_another(lpm_supervisor *s, lpm_request *req)
{
    lpm_enqueue spec = order_of(s, "", 0);
    (void)req;
    spec.handler = (const lpm_handler *)(const void *)&kept;
    return enqueue(s, &spec);
}

static int enqueue_two_gib(lpm_supervisor *s, lpm_request *req)
{
    lpm_enqueue spec = order_of(s, "x", TWO_GIB);
    (void)req;
    return enqueue(s, &spec);
}

static int enqueue_over_limit(lpm_supervisor *s, lpm_request *req)
{
    lpm_enqueue spec = order_of(s, "x", OVER_LIMIT);
    (void)req;
    return enqueue(s, &spec);
}

static int enqueue_null_header(lpm_supervisor *s, lpm_request *req)
{
    lpm_header header = {{NULL, 0}, {"", 0}};
    lpm_enqueue spec = order_of(s, "x", 1);
    (void)req;
    spec.headers = &header;
    spec.header_count = 1;
    return enqueue(s, &spec);
}

static int enqueue_null(lpm_supervisor *s, lpm_request *req)
{
    (void)req;
    return enqueue(s, NULL);
}

static int broadcast_null(lpm_supervisor *s, lpm_request *req)
{
    (void)req;
    return lpm_supervisor_broadcast(s, NULL, NULL, "", 0, 0);
}

static int broadcast_nowhere(lpm_supervisor *s, lpm_request *req)
{
    (void)req;
    return lpm_supervisor_broadcast(s, "nopool", "e", "", 0, 0);
}

static int broadcast_two_gib(lpm_supervisor *s, lpm_request *req)
{
    (void)req;
    return lpm_supervisor_broadcast(s, NULL, "e", "x", TWO_GIB, 0);
}

static int listen_to_null(lpm_supervisor *s, lpm_request *req)
{
    (void)req;
    return lpm_supervisor_on(s, NULL, ignore, NULL);
}

static int resize_to_none(lpm_supervisor *s, lpm_request *req)
{
    (void)req;
    return lpm_supervisor_resize(s, NULL, 0, NULL, NULL);
}

static int done_in_the_bus(lpm_supervisor *s, lpm_request *req)
{
    (void)req;
    return lpm_supervisor_soft_kill_done(s);
}

static int answer_event_twice(lpm_supervisor *s, lpm_request *req)
{
    (void)s;
    lpm_ack(req);
    return lpm_respond(req, "x", 1);
}

static int event_with_stream(lpm_supervisor *s, lpm_request *req)
{
    (void)s;
    return lpm_respond_stream(req, "", 0, 0);
}

static int event_two_gib(lpm_supervisor *s, lpm_request *req)
{
    (void)s;
    return lpm_respond(req, "x", TWO_GIB);
}

/* A connection for the worker, of which it is to close its end twice. */
static int hand_over(lpm_supervisor *s, lpm_request *req)
{
    lpm_enqueue spec = order_of(s, "close-twice", 11);
    int rc;
    (void)req;

    spec.socket = dup(0);
    rc = enqueue(s, &spec);
    if (rc != 0) {
        close(spec.socket);
    }
    return rc;
}

/* -- Orders ------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*run)(lpm_request *req);
    int answers; /* itself */
} worker_orders[] = {
    {"respond-twice", respond_twice, 1},
    {"ack-then-respond", ack_then_respond, 1},
    {"respond-then-ack", respond_then_ack, 1},
    {"keep", keep, 1},
    {"header-of-freed", header_of_freed, 0},
    {"respond-freed", respond_freed, 0},
    {"watch-freed", watch_freed, 0},
    {"stream-to-freed", stream_to_freed, 0},
    {"null-header", null_header, 0},
    {"null-value", null_value, 0},
    {"null-text", null_text, 0},
    {"null-data", null_data, 0},
    {"respond-two-gib", respond_two_gib, 0},
    {"respond-over-limit", respond_over_limit, 0},
    {"headers-over-limit", headers_over_limit, 0},
    {"stream-of-none", stream_of_none, 0},
    {"emit-null", emit_null, 0},
    {"emit-own-of-lpm", emit_own_of_lpm, 0},
    {"emit-two-gib", emit_two_gib, 0},
    {"call-null", call_null, 0},
    {"call-nobody", call_nobody, 0},
    {"call-a-stranger", call_a_stranger, 0},
    {"call-with-socket", call_with_socket, 0},
    {"call-two-gib", call_two_gib, 0},
    {"on-null", on_null, 0},
    {"once-without-function", once_without_function, 0},
    {"off-nothing", off_nothing, 0},
    {"close-twice", close_twice, 0},
    {"done-before-soft-kill", done_before_soft_kill, 0},
};

static const struct {
    const char *name;
    int (*run)(lpm_supervisor *s, lpm_request *req);
} bus_orders[] = {
    {"enqueue-for-nobody", enqueue_for_nobody},
    {"enqueue-for-null", enqueue_for_null},
    {"enqueue-for-another", enqueue_for_another},
    {"enqueue-two-gib", enqueue_two_gib},
    {"enqueue-over-limit", enqueue_over_limit},
    {"enqueue-null-header", enqueue_null_header},
    {"enqueue-null", enqueue_null},
    {"broadcast-null", broadcast_null},
    {"broadcast-nowhere", broadcast_nowhere},
    {"broadcast-two-gib", broadcast_two_gib},
    {"listen-to-null", listen_to_null},
    {"resize-to-none", resize_to_none},
    {"done-in-the-bus", done_in_the_bus},
    {"answer-event-twice", answer_event_twice},
    {"event-with-stream", event_with_stream},
    {"event-two-gib", event_two_gib},
    {"hand-over", hand_over},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void request(lpm_request *req)
{
    lpm_worker *w = lpm_request_worker(req);
    char order[64];
    size_t len = lpm_request_data(req).len;
    int rc;

    len = len < sizeof(order) ? len : sizeof(order) - 1;
    memcpy(order, lpm_request_data(req).data, len);
    order[len] = '\0';
    for (size_t i = 0; i < COUNT(worker_orders); i++) {
        if (strcmp(order, worker_orders[i].name) == 0) {
            rc = worker_orders[i].run(req);
            lpm_log(w, LPM_LOG_NOTICE, "%s gave %d", order, rc);
            if (!worker_orders[i].answers) {
                lpm_ack(req);
            }
            return;
        }
    }
    lpm_worker_emit(w, order, "", 0, NULL, NULL);
    lpm_ack(req);
}

static void hard_kill(lpm_worker *w)
{
    lpm_log(w, LPM_LOG_NOTICE, "emit-after-hard-kill gave %d",
            lpm_worker_emit(w, "e", "", 0, ignore_response, NULL));
}

static void on_order(lpm_event *ev, void *arg)
{
    for (size_t i = 0; i < COUNT(bus_orders); i++) {
        if (strcmp(lpm_event_name(ev), bus_orders[i].name) == 0) {
            int rc = bus_orders[i].run(arg, lpm_event_request(ev));
            lpm_log(arg, LPM_LOG_NOTICE, "%s gave %d", bus_orders[i].name, rc);
        }
    }
}

static int supervisor_init(lpm_supervisor *s)
{
    for (size_t i = 0; i < COUNT(bus_orders); i++) {
        lpm_supervisor_on(s, bus_orders[i].name, on_order, s);
    }
    return 0;
}

LPM_MODULE(.name = "misuse", .version = "1.0", .request = request, .hard_kill = hard_kill,
           .supervisor_init = supervisor_init);
