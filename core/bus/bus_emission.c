/*
 * What workers emitted, until it is answered. Runs in the bus.
 */
#include "bus/bus_emission.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define IDLE_MIN    64
#define HEADERS_MAX (64u * 1024)

static struct lpm_request *take_object(struct bus *bus)
{
    struct lpm_request *req;

    if (bus->emissions_idle_count > IDLE_MIN) {
        req = LIST_ENTRY(bus->emissions_idle.next, struct lpm_request, link);
        list_remove(&req->link);
        bus->emissions_idle_count--;
        return req;
    }
    req = calloc(1, sizeof(*req));
    if (req) {
        list_init(&req->link);
        list_init(&req->due);
    }
    return req;
}

static void put_object(struct lpm_request *req)
{
    free(req->data);
    free(req->headers);
    req->data = req->headers = NULL;
    req->len = req->headers_len = req->header_count = 0;
    req->open = false;
    list_remove(&req->due);
    list_remove(&req->link);
    list_append(&req->bus->emissions_idle, &req->link);
    req->bus->emissions_idle_count++;
}

/* The worker counts it no more. 0, or negative: it does not get the reply. */
static int leave_worker(struct lpm_request *req, const struct frame *reply)
{
    struct bus_worker *w = req->worker;
    int rc = reply && req->wants_reply ? bus_worker_post(w, reply, -1) : 0;

    w->emission_count--;
    w->emission_bytes -= req->len;
    req->worker = NULL;
    return rc;
}

int bus_emission_close(struct lpm_request *req, const struct frame *reply)
{
    int rc = LPM_ECANCELED;

    if (req->worker) {
        rc = leave_worker(req, reply) == 0 ? 0 : LPM_ECANCELED;
    } else {
        req->bus->emissions_lost_count--;
        req->bus->emissions_lost_bytes -= req->len;
    }
    put_object(req);
    return rc;
}

static void drop_oldest(struct bus *bus)
{
    struct lpm_request *oldest = LIST_ENTRY(bus->emissions_lost.next, struct lpm_request, link);

    if (!bus->emissions_dropped) {
        bus->emissions_dropped = true;
        log_write(
            bus->log, LPM_LOG_ERROR,
            "no listener has answered event \"%s\", for which nobody waits any more: it is dropped, as are "
            "others when there are too many",
            oldest->name);
    }
    bus_emission_close(oldest, NULL);
}

void bus_emission_lose(struct lpm_request *req, const struct frame *reply)
{
    struct bus *bus = req->bus;

    leave_worker(req, reply);
    while (bus->emissions_lost_count >= FRAME_EMITS_MAX ||
           (bus->emissions_lost_count > 0 && bus->emissions_lost_bytes + req->len > FRAME_EMITS_BYTES_MAX)) {
        drop_oldest(bus);
    }
    list_remove(&req->due);
    list_remove(&req->link);
    list_append(&bus->emissions_lost, &req->link);
    bus->emissions_lost_count++;
    bus->emissions_lost_bytes += req->len;
}

/* -- Deadlines ---------------------------------------------------------------------------------------- */

static void on_due(evutil_socket_t fd, short what, void *arg);

static void arm(struct bus *bus)
{
    const struct lpm_request *next = LIST_ENTRY(bus->emissions_due.next, struct lpm_request, due);
    uint64_t now = clock_now();
    struct timeval wait;

    if (!bus->emissions_timer) {
        bus->emissions_timer = evtimer_new(bus->base, on_due, bus);
    }
    if (bus->emissions_timer && !event_pending(bus->emissions_timer, EV_TIMEOUT, NULL)) {
        wait = clock_timeval(next->deadline > now ? next->deadline - now : 0);
        event_add(bus->emissions_timer, &wait);
    }
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    struct bus *bus = arg;
    uint64_t now = clock_now();

    (void)fd;
    (void)what;
    LIST_EACH(link, after, &bus->emissions_due)
    {
        struct lpm_request *req = LIST_ENTRY(link, struct lpm_request, due);
        struct frame reply = {.type = FRAME_REPLY, .key = {0, req->seq}, .error = LPM_ETIMEDOUT};
        if (req->deadline > now) {
            arm(bus);
            return;
        }
        bus_emission_lose(req, &reply);
    }
}

/* All have the same time, so the last one is due last. */
static void set_deadline(struct lpm_request *req)
{
    int64_t timeout = req->bus->start->core->timeout;

    req->deadline = 0;
    if (req->wants_reply && timeout != LPM_NONE) {
        req->deadline = req->created_at + (uint64_t)timeout * CLOCK_NS_PER_MS;
        list_append(&req->bus->emissions_due, &req->due);
        arm(req->bus);
    }
}

/* -- Beginning and end ------------------------------------------------------------------------------- */

struct lpm_request *bus_emission_new(struct bus_worker *w, const struct frame *frame, lpm_slice name)
{
    struct bus *bus = w->pool->bus;
    struct lpm_request *req = take_object(bus);

    if (!req) {
        return NULL;
    }
    req->bus = bus;
    req->handle.host = &bus->host;
    req->handle.owner = &bus->owner;
    req->data = malloc(frame->data.len + 1);
    if (!req->data) {
        put_object(req);
        return NULL;
    }
    memcpy(req->data, frame->data.data, frame->data.len);
    req->len = frame->data.len;
    memcpy(req->name, name.data, name.len);
    req->name[name.len] = '\0';
    uuid_make(&bus->uuids, req->id);
    req->created_at = clock_now();
    req->worker = w;
    req->seq = frame->key.seq;
    req->wants_reply = (frame->flags & FRAME_WANTS_REPLY) != 0;
    req->context = NULL;
    req->open = true;
    list_append(&w->emissions, &req->link);
    w->emission_count++;
    w->emission_bytes += req->len;
    set_deadline(req);
    return req;
}

void bus_emission_init(struct bus *bus)
{
    list_init(&bus->emissions_idle);
    list_init(&bus->emissions_due);
    list_init(&bus->emissions_lost);
}

void bus_emission_fini(struct bus *bus)
{
    if (bus->emissions_timer) {
        event_free(bus->emissions_timer);
    }
    while (!list_empty(&bus->emissions_lost)) {
        bus_emission_close(LIST_ENTRY(bus->emissions_lost.next, struct lpm_request, link), NULL);
    }
    LIST_EACH(link, after, &bus->emissions_idle)
    {
        list_remove(link);
        free(LIST_ENTRY(link, struct lpm_request, link));
    }
}

/* -- The host table ----------------------------------------------------------------------------------- */

static const char *request_id(const lpm_request *req)
{
    return req->id;
}

static const char *request_handler(const lpm_request *req)
{
    return req->name;
}

static uint64_t request_created_at(const lpm_request *req)
{
    return req->created_at;
}

static uint64_t request_deadline(const lpm_request *req)
{
    return req->deadline;
}

static int request_cancelled(const lpm_request *req)
{
    return !req->open || !req->worker;
}

static lpm_slice request_data(const lpm_request *req)
{
    return req->open ? (lpm_slice){req->data, req->len} : (lpm_slice){"", 0};
}

static int request_header_at(const lpm_request *req, size_t i, lpm_header *header)
{
    (void)req;
    (void)i;
    (void)header;
    return 0;
}

static lpm_slice request_header(const lpm_request *req, const char *name)
{
    (void)req;
    (void)name;
    return (lpm_slice){"", 0};
}

static lpm_worker *request_worker(const lpm_request *req)
{
    (void)req;
    return NULL;
}

static void request_set_context(lpm_request *req, void *context)
{
    req->context = context;
}

static void *request_context(const lpm_request *req)
{
    return req->context;
}

static int request_none(const lpm_request *req)
{
    (void)req;
    return 0;
}

static int request_nothing_to_take(lpm_request *req)
{
    (void)req;
    return LPM_EINVAL;
}

static int misuse(const lpm_request *req, const char *call)
{
    const struct loader_owner *owner = req->handle.owner;

    log_write(req->bus->log, LPM_LOG_ERROR,
              "module \"%s\": %s() on event \"%s\" %s, which was answered already", owner->module, call,
              req->name, req->id);
    return LPM_EDONE;
}

static int respond_header(lpm_request *req, lpm_slice name, lpm_slice value)
{
    static const char call[] = "lpm_respond_header";
    size_t size;
    char *headers;

    if (!req->open) {
        return misuse(req, call);
    }
    if (!name.data || !value.data || !frame_header_valid(name, value)) {
        return loader_misused(req, call, LPM_EINVAL);
    }
    if (frame_header_settled((lpm_slice){req->headers, req->headers_len}, name)) {
        return 0;
    }
    size = frame_header_size(name.len, value.len);
    if (req->headers_len + size > HEADERS_MAX) {
        return loader_misused(req, call, LPM_ETOOBIG);
    }
    headers = realloc(req->headers, req->headers_len + size);
    if (!headers) {
        return LPM_ENOMEM;
    }
    req->headers = headers;
    frame_header_encode(headers + req->headers_len, name, value);
    req->headers_len += size;
    req->header_count++;
    return 0;
}

static int answer(lpm_request *req, const void *data, size_t len, const char *call)
{
    struct frame reply = {.type = FRAME_REPLY,
                          .key = {0, req->seq},
                          .header_count = req->header_count,
                          .headers = {req->headers ? req->headers : "", req->headers_len},
                          .data = {data ? data : "", len}};

    if (!req->open) {
        return misuse(req, call);
    }
    if (len > 0 && !data) {
        return loader_misused(req, call, LPM_EINVAL);
    }
    if (len > FRAME_DATA_MAX) {
        return loader_misused(req, call, LPM_ETOOBIG);
    }
    return bus_emission_close(req, &reply);
}

static int respond(lpm_request *req, const void *data, size_t len)
{
    return answer(req, data, len, "lpm_respond");
}

static int ack(lpm_request *req)
{
    return answer(req, NULL, 0, "lpm_ack");
}

static int request_on_cancel(lpm_request *req, lpm_cancel_fn fn, void *arg)
{
    (void)fn;
    (void)arg;
    return req->open ? loader_misused(req, "lpm_request_on_cancel", LPM_EROLE)
                     : misuse(req, "lpm_request_on_cancel");
}

static int respond_stream(lpm_request *req, const void *data, size_t len, int fd)
{
    (void)data;
    (void)len;
    (void)fd;
    return req->open ? loader_misused(req, "lpm_respond_stream", LPM_EROLE)
                     : misuse(req, "lpm_respond_stream");
}

void bus_emission_host_init(lpm_host *host)
{
    host->request_id = request_id;
    host->request_handler = request_handler;
    host->request_created_at = request_created_at;
    host->request_deadline = request_deadline;
    host->request_cancelled = request_cancelled;
    host->request_data = request_data;
    host->request_header_at = request_header_at;
    host->request_header = request_header;
    host->request_worker = request_worker;
    host->request_set_context = request_set_context;
    host->request_context = request_context;
    host->request_has_stream = request_none;
    host->request_has_socket = request_none;
    host->request_stream = request_nothing_to_take;
    host->request_socket = request_nothing_to_take;
    host->respond_header = respond_header;
    host->respond = respond;
    host->request_on_cancel = request_on_cancel;
    host->respond_stream = respond_stream;
    host->ack = ack;
}
