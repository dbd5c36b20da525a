/*
 * The table of requests. Runs in the bus. Records are kept for the life of the process and used again, so that a
 * ticket can always be checked and the steady state allocates nothing.
 */
#include "bus/bus_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "bus/bus_response.h"
#include "bus/bus_timeout.h"
#include "role/role_enqueue.h"
#include "role/role_error.h"

#define PAYLOAD_KEPT 4096
#define TABLE_MIN    256

static struct bus_request *make_record(struct bus *bus)
{
    struct bus_request *req;

    if ((bus->request_count & (bus->request_count - 1)) == 0 &&
        (bus->request_count >= TABLE_MIN || bus->request_count == 0)) {
        size_t room = bus->request_count ? bus->request_count * 2 : TABLE_MIN;
        struct bus_request **table = realloc(bus->requests, room * sizeof(struct bus_request *));
        if (!table) {
            return NULL;
        }
        bus->requests = table;
    }
    req = calloc(1, sizeof(*req));
    if (req) {
        bus_timeout_init_request(bus, req);
        req->place = (uint32_t)bus->request_count;
        list_init(&req->link);
        list_init(&req->item.link);
        bus->requests[bus->request_count++] = req;
    }
    return req;
}

static int copy_payload(struct bus_request *req, const lpm_enqueue *spec, size_t headers)
{
    if (headers + spec->len > req->payload_room) {
        char *payload = malloc(headers + spec->len);
        if (!payload) {
            return LPM_ENOMEM;
        }
        free(req->payload);
        req->payload = payload;
        req->payload_room = headers + spec->len;
    }
    role_enqueue_encode(spec, req->payload);
    req->header_count = spec->header_count;
    req->headers_len = headers;
    req->data_len = spec->len;
    return 0;
}

struct bus_request *bus_request_new(struct bus *bus, const lpm_enqueue *spec, size_t headers_len)
{
    struct bus_request *req;

    if (list_empty(&bus->request_free)) {
        req = make_record(bus);
    } else {
        req = LIST_ENTRY(bus->request_free.next, struct bus_request, link);
        list_remove(&req->link);
    }
    if (req && copy_payload(req, spec, headers_len) != 0) {
        list_insert(&bus->request_free, &req->link);
        req = NULL;
    }
    if (!req) {
        return NULL;
    }
    req->uses++;
    req->waited = true;
    req->asked_back = req->owes_cancel = req->owes_abandon = req->suspected = false;
    req->kills = 0;
    req->poison = false;
    req->stream = req->socket = -1;
    req->worker = NULL;
    req->worker_name = "-";
    bus->waiting++;
    return req;
}

void bus_request_free(struct bus *bus, struct bus_request *req)
{
    req->due = 0;
    if (req->waited) {
        req->waited = false;
        bus->waiting--;
    }
    fd_close(&req->stream);
    fd_close(&req->socket);
    if (req->payload_room > PAYLOAD_KEPT) {
        free(req->payload);
        req->payload = NULL;
        req->payload_room = 0;
    }
    req->state = BUS_REQUEST_FREE;
    list_remove(&req->link);
    list_insert(&bus->request_free, &req->link);
}

static void call_back(const struct bus_request *req, struct lpm_response *res)
{
    const struct lpm_supervisor *module = req->module;
    uint32_t step = bus_step_enter(module, ROLE_STEP_RESPONSE);

    req->on_response(res, req->arg);
    bus_step_back(module, step);
}

void bus_request_finish(struct bus *bus, struct bus_request *req, int error, const char *text,
                        const struct bus_answer *answer, bool keep)
{
    static const struct bus_answer nothing = {.headers = {"", 0}, .data = {"", 0}};
    struct lpm_response res = {.handle = {&bus->host, &req->module->owner},
                               .error = role_error_for(req->module->module, error),
                               .text = text,
                               .req = req,
                               .answer = answer ? answer : &nothing};
    bool waited = req->waited;

    res.at = answer ? answer->at : clock_now();
    if (!keep) { /* whoever holds the other end finds it closed already in the callback */
        fd_let_go(&req->stream);
        fd_let_go(&req->socket);
    }
    /* The ticket ends before the callback, in which anything may be called. */
    if (waited) {
        req->waited = false;
        bus->waiting--;
        if (req->on_response) {
            call_back(req, &res);
        }
    }
    if (!keep) {
        bus_request_free(bus, req);
    }
}

uint64_t bus_request_ticket(const struct bus_request *req)
{
    return (uint64_t)req->uses << 32 | req->place;
}

struct bus_request *bus_request_find(const struct bus *bus, uint64_t ticket)
{
    uint32_t place = (uint32_t)ticket;
    struct bus_request *req = place < bus->request_count ? bus->requests[place] : NULL;
    return req && req->waited && req->uses == (uint32_t)(ticket >> 32) ? req : NULL;
}

void bus_request_free_all(struct bus *bus)
{
    for (size_t i = 0; i < bus->request_count; i++) {
        event_del(&bus->requests[i]->timer);
        if (bus->requests[i]->state != BUS_REQUEST_FREE) {
            fd_close(&bus->requests[i]->stream);
            fd_close(&bus->requests[i]->socket);
        }
        free(bus->requests[i]->payload);
        free(bus->requests[i]);
    }
    free(bus->requests);
}
