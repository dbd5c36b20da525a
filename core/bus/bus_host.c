/*
 * The host table of the bus. Arguments come from modules: checked where a mistake can be told from a right call.
 */
#include "bus/bus_host.h"

#include <string.h>

#include "base/clock.h"
#include "bus/bus_enqueue.h"
#include "bus/bus_event.h"
#include "bus/bus_handover.h"
#include "bus/bus_health.h"
#include "bus/bus_pool.h"
#include "bus/bus_response.h"
#include "bus/bus_rule.h"
#include "os/os_stream.h"

static const lpm_handler *supervisor_handler(lpm_supervisor *s, const char *name)
{
    for (size_t i = 0; name && i < s->bus->handler_count; i++) {
        if (strcmp(s->bus->handlers[i].name, name) == 0) {
            return &s->bus->handlers[i];
        }
    }
    return NULL;
}

static int supervisor_enqueue(lpm_supervisor *s, const lpm_enqueue *spec, lpm_response_fn on_response,
                              void *arg)
{
    return loader_misused(s, "lpm_supervisor_enqueue", bus_enqueue(s, spec, on_response, arg));
}

static int supervisor_handler_minor(const lpm_supervisor *s, const lpm_handler *handler)
{
    return handler ? (int)s->bus->loader.modules[handler->index].module.needs : LPM_EINVAL;
}

static int supervisor_cancel(lpm_supervisor *s, uint64_t ticket)
{
    return bus_enqueue_cancel(s->bus, ticket);
}

static int64_t supervisor_retry_after(const lpm_supervisor *s, const lpm_handler *handler)
{
    (void)s;
    return handler ? bus_pool_retry_after(handler->pool) : 1;
}

static int supervisor_soft_kill_done(lpm_supervisor *s)
{
    if (!s->soft_kill_open) {
        bool done = s->bus->phase == POLICY_DRAINING && s->module->supervisor_soft_kill;
        return loader_misused(s, "lpm_supervisor_soft_kill_done", done ? LPM_EDONE : LPM_EROLE);
    }
    s->soft_kill_open = false; /* the end of the turn sees it */
    return 0;
}

static int supervisor_fd(const lpm_supervisor *s, const lpm_conf *node)
{
    (void)s;
    return node ? node->fd : -1;
}

static const lpm_conf *supervisor_conf(const lpm_supervisor *s)
{
    return s->bus->start->core->tree->root;
}

static void supervisor_set_context(lpm_supervisor *s, void *context)
{
    s->context = context;
}

static void *supervisor_context(const lpm_supervisor *s)
{
    return s->context;
}

static struct event_base *supervisor_event_base(const lpm_supervisor *s)
{
    return s->bus->base;
}

static int response_error(const lpm_response *res)
{
    return res->error;
}

static const char *response_error_text(const lpm_response *res)
{
    return res->text;
}

static const char *response_id(const lpm_response *res)
{
    return res->req->id;
}

static uint64_t response_created_at(const lpm_response *res)
{
    return res->req->created_at;
}

static lpm_slice response_data(const lpm_response *res)
{
    return res->answer->data;
}

static int response_header_at(const lpm_response *res, size_t i, lpm_header *header)
{
    /* The object is ours, and none that was made as a constant. */
    struct frame_cursor *cursor = (struct frame_cursor *)(uintptr_t)&res->cursor;
    return header && frame_header_at(res->answer->headers, i, cursor, header);
}

static lpm_slice response_header(const lpm_response *res, const char *name)
{
    return frame_header_find(res->answer->headers, name);
}

static const char *response_worker(const lpm_response *res)
{
    return res->req->worker_name;
}

static uint64_t response_queue_time(const lpm_response *res)
{
    return (res->req->worker ? res->req->sent_at : res->at) - res->req->created_at;
}

static int response_has_stream(const lpm_response *res)
{
    return res->answer->stream != NULL;
}

static int response_stream(lpm_response *res)
{
    int fd;

    if (!res->answer->stream) {
        return LPM_EINVAL;
    }
    if (*res->answer->stream < 0) {
        return res->answer->lost ? LPM_EIO : LPM_EDONE;
    }
    fd = *res->answer->stream;
    *res->answer->stream = -1;
    return fd;
}

static uint64_t response_created_at_wall(const lpm_response *res)
{
    return res->req->created_at + clock_wall_offset();
}

static int stream_pair(const void *handle, int fds[2])
{
    (void)handle;
    return os_stream_pair(fds);
}

static int stream_end(const void *handle, int fd)
{
    (void)handle;
    return os_stream_end(fd);
}

static uint64_t response_service_time(const lpm_response *res)
{
    return res->req->worker ? res->at - res->req->sent_at : 0;
}

void bus_host_init(struct bus *bus)
{
    lpm_host *host = &bus->host;

    loader_host_init(host);
    host->supervisor_handler = supervisor_handler;
    host->supervisor_handler_minor = supervisor_handler_minor;
    host->supervisor_enqueue = supervisor_enqueue;
    host->supervisor_cancel = supervisor_cancel;
    host->supervisor_retry_after = supervisor_retry_after;
    host->supervisor_soft_kill_done = supervisor_soft_kill_done;
    host->supervisor_fd = supervisor_fd;
    host->supervisor_conf = supervisor_conf;
    host->supervisor_set_context = supervisor_set_context;
    host->supervisor_context = supervisor_context;
    host->supervisor_event_base = supervisor_event_base;
    host->response_error = response_error;
    host->response_error_text = response_error_text;
    host->response_id = response_id;
    host->response_created_at = response_created_at;
    host->response_data = response_data;
    host->response_header_at = response_header_at;
    host->response_header = response_header;
    host->response_worker = response_worker;
    host->response_queue_time = response_queue_time;
    host->response_service_time = response_service_time;
    host->response_has_stream = response_has_stream;
    host->response_stream = response_stream;
    host->response_created_at_wall = response_created_at_wall;
    host->stream_pair = stream_pair;
    host->stream_end = stream_end;
    bus_event_host_init(host);
    bus_health_host_init(host);
    bus_rule_host_init(host);
    bus_handover_host_init(host);
}
