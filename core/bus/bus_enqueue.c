/*
 * A request's way into the bus. Runs in the bus. What is refused leaves no trace.
 */
#include "bus/bus_enqueue.h"

#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "bus/bus_lifecycle.h"
#include "bus/bus_timeout.h"
#include "bus/bus_worker.h"

/* What an lpm_enqueue of 1.0 has at the least. */
#define SPEC_SIZE_MIN offsetof(lpm_enqueue, stream)

/* Ten years: a time limit beyond it is none. */
#define TIMEOUT_MAX_MS INT64_C(315360000000)

/* `bytes` receives what the payload takes. */
static int check_payload(const lpm_enqueue *spec, size_t *bytes)
{
    size_t headers = 0;

    if ((spec->header_count > 0 && !spec->headers) || (spec->len > 0 && !spec->data)) {
        return LPM_EINVAL;
    }
    if (spec->len > FRAME_DATA_MAX || spec->header_count > FRAME_HEADERS_MAX) {
        return LPM_ETOOBIG;
    }
    for (size_t i = 0; i < spec->header_count; i++) {
        const lpm_header *h = &spec->headers[i];
        if (h->name.len > UINT16_MAX || h->value.len > FRAME_HEADERS_MAX) {
            return LPM_ETOOBIG;
        }
        if (!h->name.data || !h->value.data || !frame_header_valid(h->name, h->value)) {
            return LPM_EINVAL;
        }
        headers += frame_header_size(h->name.len, h->value.len);
        if (headers > FRAME_HEADERS_MAX) {
            return LPM_ETOOBIG;
        }
    }
    *bytes = headers + spec->len;
    return 0;
}

/* A caller of 1.0 does not know of descriptors. */
#define SPEC_HAS_DESCRIPTORS(spec) ((spec)->size >= offsetof(lpm_enqueue, socket) + sizeof((spec)->socket))

static int stream_of(const lpm_enqueue *spec)
{
    return SPEC_HAS_DESCRIPTORS(spec) && spec->stream != 0 ? spec->stream : -1;
}

static int socket_of(const lpm_enqueue *spec)
{
    return SPEC_HAS_DESCRIPTORS(spec) && spec->socket != 0 ? spec->socket : -1;
}

/* Each is closed once, so they must not be the same; one that is not open could never be sent. */
static int check_descriptors(const lpm_enqueue *spec)
{
    if (!SPEC_HAS_DESCRIPTORS(spec)) {
        return 0;
    }
    if ((spec->stream != 0 && fcntl(spec->stream, F_GETFD) < 0) ||
        (spec->socket != 0 && fcntl(spec->socket, F_GETFD) < 0) ||
        (spec->stream != 0 && spec->stream == spec->socket)) {
        return LPM_EINVAL;
    }
    return 0;
}

static bool of_this_bus(const struct bus *bus, const lpm_handler *handler)
{
    for (size_t i = 0; i < bus->handler_count; i++) {
        if (handler == &bus->handlers[i]) {
            return true;
        }
    }
    return false;
}

static int check(const struct lpm_supervisor *s, const lpm_enqueue *spec, size_t *bytes)
{
    const struct bus *bus = s->bus;
    int rc;

    if (spec->handler == NULL) {
        return LPM_ENOHANDLER;
    }
    if (!of_this_bus(bus, spec->handler) || (spec->timeout < LPM_NONE && spec->timeout != LPM_DEFAULT) ||
        (spec->retries < 0 && spec->retries != LPM_DEFAULT)) {
        return LPM_EINVAL;
    }
    rc = check_payload(spec, bytes);
    if (rc == 0) {
        rc = check_descriptors(spec);
    }
    if (rc != 0) {
        return rc;
    }
    /* A module with a soft_kill hook decides itself what it has taken in already, until it says done. For one that asked
     * for the soft kill it has begun, though the master has not said so yet. */
    if ((bus->phase == POLICY_DRAINING || s->soft_kill_asked) && !s->soft_kill_open) {
        return LPM_ESHUTDOWN;
    }
    return bus_pool_admit(spec->handler->pool, *bytes);
}

static void fill(struct bus_request *req, const lpm_enqueue *spec, const struct conf_core *core)
{
    int64_t timeout = spec->timeout == LPM_DEFAULT ? core->timeout : spec->timeout;

    req->handler = spec->handler;
    req->stream = stream_of(spec);
    req->socket = socket_of(spec);
    req->with_descriptor = req->stream >= 0 || req->socket >= 0;
    req->created_at = clock_now();
    req->deadline = 0;
    if (timeout != LPM_NONE && timeout < TIMEOUT_MAX_MS) {
        req->deadline = req->created_at + (uint64_t)timeout * CLOCK_NS_PER_MS;
    }
    req->retries_left = spec->retries == LPM_DEFAULT ? core->retries : spec->retries;
}

int bus_enqueue(struct lpm_supervisor *s, const lpm_enqueue *spec, lpm_response_fn on_response, void *arg)
{
    struct bus *bus = s->bus;
    struct bus_request *req;
    char id[UUID_TEXT_SIZE];
    size_t bytes = 0;
    int rc;

    if (!spec || spec->size < SPEC_SIZE_MIN) {
        return LPM_EINVAL;
    }
    uuid_make(&bus->uuids, id);
    if (spec->id) {
        memcpy(spec->id, id, sizeof(id));
    }
    rc = check(s, spec, &bytes);
    if (rc != 0) {
        return rc;
    }
    req = bus_request_new(bus, spec);
    if (!req) {
        return LPM_ENOMEM;
    }
    memcpy(req->id, id, sizeof(id));
    req->module = s;
    req->on_response = on_response;
    req->arg = arg;
    fill(req, spec, bus->start->core);
    if (req->deadline) {
        bus_timeout_watch(bus, req);
    }
    bus_pool_push(spec->handler->pool, req);
    if (bus->turn_ends) {
        bus_lifecycle_again(bus); /* its pool may have had its turn */
    }
    if (spec->ticket) {
        *spec->ticket = bus_request_ticket(req);
    }
    return 0;
}

int bus_enqueue_cancel(struct bus *bus, uint64_t ticket)
{
    struct bus_request *req = bus_request_find(bus, ticket);

    if (!req) {
        return LPM_EDONE;
    }
    if (req->state == BUS_REQUEST_QUEUED) {
        bus_pool_remove(req->handler->pool, req);
        bus_request_free(bus, req);
        return 0;
    }
    req->waited = false;
    bus->waiting--;
    bus_timeout_cancelled(bus, req);
    bus_worker_cancel(req->worker, req);
    bus_worker_let_go_of(req->worker, req);
    return 0;
}
