/*
 * Calls. Runs in a worker. They are started by the loop, in their order, as far as the pool's `concurrency` allows and while the
 * worker is not busy; those that wait in vain are told so at their deadline. A handler that hangs cannot be noticed
 * here: the board shows the bus when it should have been back.
 */
#include "worker/worker_call.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "role/role_enqueue.h"
#include "worker/worker_event.h"
#include "worker/worker_life.h"
#include "worker/worker_output.h"
#include "worker/worker_request.h"
#include "worker/worker_response.h"
#include "worker/worker_stream.h"

/* Started in one turn of the loop, so that others get theirs. */
#define TURN_CALLS 64

#define PAYLOAD_KEPT 4096

/* -- The outcome -------------------------------------------------------------------------------------- */

/* The ticket ends before the callback, in which anything may be called; an answer to this request is one too many. */
static void tell(struct lpm_request *req, struct lpm_response *res)
{
    struct worker_call *call = &req->call;
    const struct lpm_worker *caller = call->caller;
    uint64_t now = clock_now();

    res->handle = call->caller->handle;
    res->id = req->frame.id;
    res->worker = req->owner->worker->name;
    res->created_at = req->frame.created_at;
    res->queue_time = (call->started_at ? call->started_at : now) - req->frame.created_at;
    res->service_time = call->started_at ? now - call->started_at : 0;
    call->waited = false;
    req->open = false;
    if (call->on_response) {
        uint32_t step = worker_step_enter(caller, ROLE_STEP_RESPONSE);
        call->on_response(res, call->arg);
        worker_step_back(caller, step);
    }
}

static void tell_late(struct lpm_request *req)
{
    static const lpm_slice nothing = {"", 0};
    struct lpm_response res = {.error = LPM_ETIMEDOUT,
                               .text = "the deadline passed before there was an answer",
                               .headers = nothing,
                               .data = nothing};
    tell(req, &res);
    req->open = true;
}

int worker_call_answer(struct lpm_request *req, const struct frame *answer, int stream)
{
    struct lpm_response res = {.text = "", .headers = answer->headers, .data = answer->data};
    int copy = -1;

    if (!req->call.waited) {
        return 0;
    }
    if (stream >= 0) {
        copy = fcntl(stream, F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            return LPM_ENOMEM;
        }
        res.stream = &copy;
    }
    tell(req, &res);
    fd_close(&copy);
    return 0;
}

/* -- Time --------------------------------------------------------------------------------------------- */

static void arm(struct lpm_request *req)
{
    uint64_t now = clock_now();
    struct timeval wait = clock_timeval(req->call.due > now ? req->call.due - now : 0);
    event_add(&req->call.timer, &wait);
}

static void watch_deadline(struct lpm_request *req)
{
    if (req->frame.deadline && req->call.due == 0) {
        req->call.due = req->frame.deadline;
        arm(req);
    }
}

/* Nobody waits any more: the module is told, and after a while its place is given to others. */
static void let_go(struct lpm_request *req)
{
    req->cancelled = true;
    req->call.waited = false;
    req->call.due = clock_now() + req->owner->worker->kill_after;
    arm(req);
    worker_stream_cancelled(req);
}

/* Out of the queue: it never starts. */
static void drop(struct lpm_request *req)
{
    worker_stream_close(req);
    worker_request_put(req);
}

static bool is_late(const struct lpm_request *req)
{
    return req->call.waited && req->frame.deadline && clock_now() >= req->frame.deadline;
}

static void expire(struct lpm_request *req)
{
    if (req->call.started_at == 0) {
        list_remove(&req->link);
        tell_late(req);
        drop(req);
    } else {
        tell_late(req);
        let_go(req);
    }
}

static void give_up(struct lpm_request *req)
{
    log_write(req->owner->worker->log, LPM_LOG_INFO,
              "module \"%s\" has not answered request %s, for which nobody waits: given up",
              req->owner->module->name, req->frame.id);
    worker_request_abandon(req);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct lpm_request *req = arg;
    struct worker *w = req->owner->worker;

    (void)fd;
    (void)what;
    if (clock_now() < req->call.due) {
        arm(req); /* the loop counts from the beginning of the turn in which it was set */
        return;
    }
    if (req->call.waited) {
        expire(req);
    } else {
        give_up(req);
    }
    worker_life_end_if_done(w);
}

void worker_call_look(struct lpm_request *req)
{
    if (is_late(req)) {
        tell_late(req);
        req->cancelled = true;
    }
}

/* -- Starting ----------------------------------------------------------------------------------------- */

static bool may_start(const struct worker *w)
{
    return !list_empty(&w->calls) && !w->over && w->said_ready && !w->said_busy &&
           w->open_count < w->concurrency;
}

/* Is it still the same, and not answered? */
static bool is_open(const struct lpm_request *req, uint32_t uses)
{
    return req->open && req->call.made && req->call.uses == uses;
}

static void start(struct worker *w, struct lpm_request *req)
{
    struct lpm_worker *owner = req->owner;
    uint32_t uses = req->call.uses, step;

    if (is_late(req)) {
        expire(req);
        return;
    }
    list_remove(&req->link);
    list_append(&w->open, &req->link);
    w->open_count++;
    req->call.started_at = clock_now();
    w->running = &req->frame;
    channel_show_call(w->channel, req->frame.deadline);
    step = worker_step_enter(owner, ROLE_STEP_REQUEST);
    owner->module->request(req);
    worker_step_back(owner, step);
    if (!list_empty(&w->listeners.list) && is_open(req, uses)) {
        worker_event_tell(owner, "request", req);
    }
    w->running = NULL;
    channel_show_called(w->channel);
    if (is_open(req, uses)) {
        watch_deadline(req);
    }
}

/* Those that have to wait. They come to the end of the list, so that before one that is watched all are. */
static void watch_waiting(struct worker *w)
{
    struct list *link = w->calls.prev;

    for (; link != &w->calls; link = link->prev) {
        struct lpm_request *req = LIST_ENTRY(link, struct lpm_request, link);
        if (req->call.due) {
            break;
        }
        watch_deadline(req);
    }
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;
    struct timeval at_once = {0, 0};

    (void)fd;
    (void)what;
    for (int i = 0; i < TURN_CALLS && may_start(w); i++) {
        start(w, LIST_ENTRY(w->calls.next, struct lpm_request, link));
    }
    if (may_start(w)) {
        event_add(w->calls_turn, &at_once); /* a timer, because the others come first */
    } else {
        watch_waiting(w);
    }
    w->owes_idle = w->owes_idle || channel_wanted(w->channel);
    worker_request_tell_idle(w);
    worker_life_end_if_done(w);
}

void worker_call_turn(struct worker *w)
{
    if (!list_empty(&w->calls)) {
        event_active(w->calls_turn, EV_TIMEOUT, 0);
    }
}

/* -- The host table ----------------------------------------------------------------------------------- */

static const lpm_handler *worker_handler(lpm_worker *m, const char *name)
{
    struct worker *w = m->worker;

    for (size_t i = 0; name && i < w->loader.count; i++) {
        struct lpm_worker *other = &w->modules[i];
        if (other->here && other->module->request && strcmp(other->module->name, name) == 0) {
            return &other->handler;
        }
    }
    return NULL;
}

static bool of_this_worker(const struct worker *w, const lpm_handler *handler)
{
    for (size_t i = 0; i < w->loader.count; i++) {
        if (handler == &w->modules[i].handler) {
            return true;
        }
    }
    return false;
}

static int worker_handler_minor(const lpm_worker *m, const lpm_handler *handler)
{
    return handler && of_this_worker(m->worker, handler) ? (int)handler->module->module->needs : LPM_EINVAL;
}

/* `headers` receives what they take. A socket is not handed on: whoever has one is in this process already. */
static int check(const struct worker *w, const lpm_enqueue *spec, size_t *headers)
{
    int rc;

    if (spec->handler == NULL) {
        return LPM_ENOHANDLER;
    }
    if (!of_this_worker(w, spec->handler) || role_enqueue_socket(spec) >= 0) {
        return LPM_EINVAL;
    }
    rc = role_enqueue_check(spec, headers);
    return rc == 0 && w->over ? LPM_ESHUTDOWN : rc;
}

/* Gives the object its place for tickets. */
static int make_callable(struct worker *w, struct lpm_request *req)
{
    size_t count = w->callable_count;

    if (req->call.place > 0) {
        return 0;
    }
    if ((count & (count - 1)) == 0) {
        struct lpm_request **all =
            realloc(w->callable, (count ? 2 * count : 1) * sizeof(struct lpm_request *));
        if (!all) {
            return LPM_ENOMEM;
        }
        w->callable = all;
    }
    w->callable[w->callable_count++] = req;
    req->call.place = (uint32_t)w->callable_count;
    event_assign(&req->call.timer, w->base, -1, 0, on_timer, req);
    return 0;
}

static int reserve(struct worker *w, struct lpm_request *req, size_t size)
{
    struct worker_call *call = &req->call;
    char *payload;
    int rc = make_callable(w, req);

    if (rc == 0 && size > call->payload_room) {
        payload = malloc(size);
        if (!payload) {
            return LPM_ENOMEM;
        }
        free(call->payload);
        call->payload = payload;
        call->payload_room = size;
    }
    return rc;
}

static void fill(struct lpm_request *req, const lpm_enqueue *spec, size_t headers, const char *id)
{
    const struct worker *w = req->owner->worker;
    uint64_t now = clock_now();
    int stream = role_enqueue_stream(spec);

    role_enqueue_encode(spec, req->call.payload);
    req->frame = (struct frame){.type = FRAME_REQUEST,
                                .flags = stream >= 0 ? FRAME_STREAM : 0,
                                .created_at = now,
                                .deadline = role_enqueue_deadline(spec, w->timeout, now),
                                .header_count = spec->header_count,
                                .headers = {req->call.payload, headers},
                                .data = {req->call.payload + headers, spec->len}};
    memcpy(req->frame.id, id, sizeof(req->frame.id));
    req->message = (struct channel_message){.fds = {stream, -1}, .fd_count = stream >= 0};
}

static int make(lpm_worker *m, const lpm_enqueue *spec, lpm_response_fn on_response, void *arg)
{
    struct worker *w = m->worker;
    struct lpm_request *req;
    char id[UUID_TEXT_SIZE];
    size_t headers = 0;
    int rc;

    if (!spec || spec->size < ROLE_ENQUEUE_SIZE_MIN) {
        return LPM_EINVAL;
    }
    uuid_make(&w->uuids, id);
    if (spec->id) {
        memcpy(spec->id, id, sizeof(id));
    }
    rc = check(w, spec, &headers);
    if (rc != 0) {
        return rc;
    }
    req = worker_request_new(w, spec->handler->module);
    if (!req) {
        return LPM_ENOMEM;
    }
    req->call.made = true;
    req->call.started_at = req->call.due = 0;
    rc = reserve(w, req, headers + spec->len + 1);
    if (rc != 0) {
        worker_request_put(req);
        return rc;
    }
    fill(req, spec, headers, id);
    req->call.waited = true;
    req->call.caller = m;
    req->call.on_response = on_response;
    req->call.arg = arg;
    req->call.uses++;
    w->events++;
    list_append(&w->calls, &req->link);
    worker_call_turn(w);
    if (spec->ticket) {
        *spec->ticket = (uint64_t)req->call.uses << 32 | req->call.place;
    }
    return 0;
}

static int worker_call(lpm_worker *m, const lpm_enqueue *spec, lpm_response_fn on_response, void *arg)
{
    return loader_misused(m, "lpm_worker_call", make(m, spec, on_response, arg));
}

static int worker_cancel(lpm_worker *m, uint64_t ticket)
{
    struct worker *w = m->worker;
    uint32_t place = (uint32_t)ticket;
    struct lpm_request *req = place > 0 && place <= w->callable_count ? w->callable[place - 1] : NULL;

    if (!req || !req->call.made || !req->call.waited || req->call.uses != ticket >> 32) {
        return LPM_EDONE;
    }
    if (req->call.started_at == 0) {
        drop(req);
    } else {
        let_go(req);
    }
    worker_life_end_if_done(w);
    return 0;
}

static int worker_fd(const lpm_worker *m, const lpm_conf *node)
{
    (void)m;
    if (!node || strcmp(node->name, "access_log") != 0) {
        return LPM_EINVAL;
    }
    return role_is_workers_log(node) ? node->fd : -1;
}

void worker_call_host_init(lpm_host *host)
{
    host->worker_handler = worker_handler;
    host->worker_handler_minor = worker_handler_minor;
    host->worker_call = worker_call;
    host->worker_cancel = worker_cancel;
    host->worker_fd = worker_fd;
}

/* -- Beginning and end -------------------------------------------------------------------------------- */

void worker_call_end(struct lpm_request *req)
{
    struct worker_call *call = &req->call;

    if (call->due) {
        event_del(&call->timer);
        call->due = 0;
    }
    call->waited = false;
    call->made = false;
    if (call->payload_room > PAYLOAD_KEPT) {
        free(call->payload);
        call->payload = NULL;
        call->payload_room = 0;
    }
}

int worker_call_init(struct worker *w)
{
    w->calls_turn = evtimer_new(w->base, on_turn, w);
    return w->calls_turn ? 0 : LPM_ENOMEM;
}

void worker_call_fini(struct worker *w)
{
    while (!list_empty(&w->calls)) {
        drop(LIST_ENTRY(w->calls.next, struct lpm_request, link));
    }
    if (w->calls_turn) {
        event_free(w->calls_turn);
        w->calls_turn = NULL;
    }
    free(w->callable);
    w->callable = NULL;
    w->callable_count = 0;
}
