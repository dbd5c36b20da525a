/*
 * A request's way into the bus. Runs in the bus. What is refused leaves no trace.
 */
#include "bus/bus_enqueue.h"

#include <string.h>

#include "base/clock.h"
#include "bus/bus_lifecycle.h"
#include "bus/bus_quarantine.h"
#include "bus/bus_timeout.h"
#include "bus/bus_worker.h"
#include "role/role_enqueue.h"
#include "role/role_error.h"

static bool of_this_bus(const struct bus *bus, const lpm_handler *handler)
{
    for (size_t i = 0; i < bus->handler_count; i++) {
        if (handler == &bus->handlers[i]) {
            return true;
        }
    }
    return false;
}

/* `*bytes` receives what it holds. */
static int check(const struct lpm_supervisor *s, const lpm_enqueue *spec, size_t *bytes)
{
    const struct bus *bus = s->bus;
    int rc;

    if (spec->handler == NULL) {
        return LPM_ENOHANDLER;
    }
    if (!of_this_bus(bus, spec->handler)) {
        return LPM_EINVAL;
    }
    rc = role_enqueue_check(spec, bytes);
    if (rc != 0) {
        return rc;
    }
    *bytes += spec->len;
    /* A module with a soft_kill hook decides itself what it has taken in already, until it says done. For one that asked
     * for the soft kill it has begun, though the master has not said so yet. */
    if ((bus->phase == POLICY_DRAINING || s->soft_kill_asked) && !s->soft_kill_open) {
        return LPM_ESHUTDOWN;
    }
    return 0;
}

static struct bus_pool_newcomer newcomer_of(const lpm_enqueue *spec, size_t bytes, int64_t timeout,
                                            uint64_t now)
{
    const struct bus_pool *pool = spec->handler->pool;
    lpm_slice client = role_enqueue_client(spec);
    struct bus_pool_newcomer newcomer = {
        .level = (enum bus_queue_level)(role_enqueue_priority(spec) - LPM_PRIORITY_LOW),
        .bytes = bytes,
        .deadline = role_enqueue_deadline(spec, timeout, now),
    };

    if (bus_pool_is_crowded(pool)) {
        newcomer.client = bus_share_find(&pool->share, client.data, client.len);
    }
    return newcomer;
}

static void fill(struct bus_request *req, const lpm_enqueue *spec, const struct bus_pool_newcomer *newcomer,
                 uint64_t now, int64_t retries)
{
    req->stream = role_enqueue_stream(spec);
    req->socket = role_enqueue_socket(spec);
    req->with_descriptor = req->stream >= 0 || req->socket >= 0;
    req->created_at = now;
    req->deadline = newcomer->deadline;
    req->item.level = newcomer->level;
    req->client = newcomer->client;
    req->retries_left = spec->retries == LPM_DEFAULT ? retries : spec->retries;
}

int bus_enqueue(struct lpm_supervisor *s, const lpm_enqueue *spec, lpm_response_fn on_response, void *arg)
{
    struct bus *bus = s->bus;
    const struct conf_core *core = bus->start->core;
    struct bus_pool_newcomer newcomer;
    struct bus_request *req;
    char id[UUID_TEXT_SIZE];
    uint64_t now;
    size_t bytes;
    int rc;

    if (!spec || spec->size < ROLE_ENQUEUE_SIZE_MIN) {
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
    if (bus_quarantine_holds(bus, spec, id)) {
        return role_error_for(s->module, LPM_EPOISON);
    }
    now = bus->heard_at ? bus->heard_at : clock_now();
    newcomer = newcomer_of(spec, bytes, core->timeout, now);
    rc = bus_pool_admit(spec->handler->pool, &newcomer, now);
    if (rc != 0) {
        return role_error_for(s->module, rc);
    }
    req = bus_request_new(bus, spec, bytes - spec->len);
    if (!req) {
        return LPM_ENOMEM;
    }
    memcpy(req->id, id, sizeof(id));
    req->module = s;
    req->handler = spec->handler;
    req->on_response = on_response;
    req->arg = arg;
    fill(req, spec, &newcomer, now, core->retries);
    if (req->deadline) {
        bus_timeout_watch(req);
    }
    bus->events++;
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
    bus_timeout_cancelled(req);
    bus_worker_cancel(req->worker, req);
    bus_worker_let_go_of(req->worker, req);
    return 0;
}
