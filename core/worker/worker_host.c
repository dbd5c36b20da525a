/*
 * The host table of a worker. Arguments come from modules: checked where a mistake can be told from a right call.
 */
#include "worker/worker_host.h"

#include "base/clock.h"
#include "worker/worker_call.h"
#include "worker/worker_event.h"
#include "worker/worker_life.h"
#include "worker/worker_request.h"
#include "worker/worker_response.h"
#include "worker/worker_stream.h"

static const char *request_id(const lpm_request *req)
{
    return req->frame.id;
}

static const char *request_handler(const lpm_request *req)
{
    return req->owner->module->name;
}

static uint64_t request_created_at(const lpm_request *req)
{
    return req->frame.created_at;
}

static uint64_t request_deadline(const lpm_request *req)
{
    return req->frame.deadline;
}

static int request_cancelled(const lpm_request *req)
{
    return req->cancelled || !req->open || req->owner->worker->drain ||
           (req->frame.deadline && clock_now() >= req->frame.deadline);
}

static lpm_slice request_data(const lpm_request *req)
{
    return req->open ? req->frame.data : lpm_slice_of("");
}

static int request_header_at(const lpm_request *req, size_t i, lpm_header *header)
{
    /* The object is ours, and none that was made as a constant. */
    struct frame_cursor *cursor = (struct frame_cursor *)(uintptr_t)&req->cursor;
    return header && req->open && frame_header_at(req->frame.headers, i, cursor, header);
}

static lpm_slice request_header(const lpm_request *req, const char *name)
{
    return frame_header_find(req->open ? req->frame.headers : lpm_slice_of(""), name);
}

static lpm_worker *request_worker(const lpm_request *req)
{
    return req->owner;
}

static void request_set_context(lpm_request *req, void *context)
{
    req->context = context;
}

static void *request_context(const lpm_request *req)
{
    return req->context;
}

static int respond_header(lpm_request *req, lpm_slice name, lpm_slice value)
{
    static const char call[] = "lpm_respond_header";
    return req->open ? loader_misused(req, call, worker_request_header(req, name, value))
                     : worker_request_misused(req, call);
}

static int finish(lpm_request *req, const void *data, size_t len)
{
    int rc = loader_misused(req, "lpm_respond", worker_request_respond(req, data, len, -1));
    worker_life_end_if_done(req->owner->worker);
    return rc;
}

static int respond(lpm_request *req, const void *data, size_t len)
{
    return req->open ? finish(req, data, len) : worker_request_misused(req, "lpm_respond");
}

static int ack(lpm_request *req)
{
    return req->open ? finish(req, "", 0) : worker_request_misused(req, "lpm_ack");
}

static int set_ready(lpm_worker *w, bool ready)
{
    w->ready = ready;
    worker_life_announce(w->worker);
    return 0;
}

static int worker_ready(lpm_worker *w)
{
    return set_ready(w, true);
}

static int worker_busy(lpm_worker *w)
{
    return set_ready(w, false);
}

static size_t worker_requests(const lpm_worker *w, lpm_request **list, size_t max)
{
    size_t count = 0;
    struct list *open = &w->worker->open;

    LIST_EACH(link, after, open)
    {
        struct lpm_request *req = LIST_ENTRY(link, struct lpm_request, link);
        if (req->owner == w) {
            if (list && count < max) {
                list[count] = req;
            }
            count++;
        }
    }
    return count;
}

static int worker_soft_kill_done(lpm_worker *w)
{
    if (!w->soft_kill_open) {
        return w->soft_killed ? LPM_EDONE : loader_misused(w, "lpm_worker_soft_kill_done", LPM_EROLE);
    }
    w->soft_kill_open = false;
    worker_life_end_if_done(w->worker);
    return 0;
}

static const char *worker_name(const lpm_worker *w)
{
    return w->worker->name;
}

static const lpm_conf *worker_conf(const lpm_worker *w)
{
    return w->worker->start->core->tree->root;
}

static void worker_set_context(lpm_worker *w, void *context)
{
    w->context = context;
}

static void *worker_context(const lpm_worker *w)
{
    return w->context;
}

static struct event_base *worker_event_base(const lpm_worker *w)
{
    return w->worker->base;
}

void worker_host_init(struct worker *w)
{
    lpm_host *host = &w->host;

    loader_host_init(host);
    worker_event_host_init(host);
    worker_response_host_init(host);
    worker_call_host_init(host);
    worker_stream_host_init(host);
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
    host->respond_header = respond_header;
    host->respond = respond;
    host->ack = ack;
    host->worker_ready = worker_ready;
    host->worker_busy = worker_busy;
    host->worker_requests = worker_requests;
    host->worker_soft_kill_done = worker_soft_kill_done;
    host->worker_name = worker_name;
    host->worker_conf = worker_conf;
    host->worker_set_context = worker_set_context;
    host->worker_context = worker_context;
    host->worker_event_base = worker_event_base;
}
