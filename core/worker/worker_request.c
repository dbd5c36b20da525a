/*
 * Requests in a worker. Every object is kept: those that are answered go to the end of a list and come back from its
 * front, so that a handle used after its answer is recognised for as long as can be.
 */
#include "worker/worker_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "worker/worker_call.h"
#include "worker/worker_event.h"
#include "worker/worker_output.h"
#include "worker/worker_stream.h"

#define IDLE_MIN     64 /* so many objects rest before one is used again */
#define HEADERS_MAX  (64u * 1024)
#define HEADERS_KEPT 4096

void worker_request_init(struct worker *w)
{
    list_init(&w->open);
    list_init(&w->given_up);
    list_init(&w->to_cancel);
    list_init(&w->idle);
    list_init(&w->calls);
}

static struct lpm_request *take_object(struct worker *w)
{
    struct lpm_request *req;

    if (w->idle_count > IDLE_MIN) {
        req = LIST_ENTRY(w->idle.next, struct lpm_request, link);
        list_remove(&req->link);
        w->idle_count--;
        return req;
    }
    req = calloc(1, sizeof(*req));
    if (req) {
        list_init(&req->link);
        list_init(&req->to_cancel);
        req->handle.host = &w->host;
    }
    return req;
}

static int make_slot(struct worker *w, uint32_t slot)
{
    size_t count = w->slot_count ? w->slot_count : 64;
    struct lpm_request **slots;

    if (slot < w->slot_count) {
        return w->slots[slot] ? LPM_EPROTO : 0;
    }
    if (slot >= FRAME_SLOT_MAX) {
        return LPM_EPROTO;
    }
    while (count <= slot) {
        count *= 2;
    }
    slots = realloc(w->slots, count * sizeof(*slots));
    if (!slots) {
        return LPM_ENOMEM;
    }
    memset(slots + w->slot_count, 0, (count - w->slot_count) * sizeof(*slots));
    w->slots = slots;
    w->slot_count = count;
    return 0;
}

/* The bus, or the caller, is done with it: its place is free again. */
static void free_place(struct lpm_request *req)
{
    struct worker *w = req->owner->worker;

    worker_stream_close(req);
    if (!req->call.made) {
        w->slots[req->frame.key.slot] = NULL;
    }
    list_remove(&req->link);
    w->open_count--;
    worker_call_turn(w);
}

void worker_request_put(struct lpm_request *req)
{
    struct worker *w = req->owner->worker;

    req->open = false;
    req->frame.headers.len = 0; /* a crash report may look at them, and they are not there any more */
    if (req->call.made) {
        worker_call_end(req);
    } else {
        channel_release(w->channel, &req->message);
    }
    if (req->headers_room > HEADERS_KEPT) {
        free(req->headers);
        req->headers = NULL;
        req->headers_room = 0;
    }
    req->headers_len = 0;
    req->header_count = 0;
    req->status = 0;
    list_remove(&req->link);
    list_append(&w->idle, &req->link);
    w->idle_count++;
}

/* So is the module. */
static void close_request(struct lpm_request *req)
{
    if (!req->given_up) {
        free_place(req);
    }
    worker_request_put(req);
}

static int tell_outcome(struct lpm_request *req, struct frame *answer, int stream)
{
    if (req->call.made) {
        return worker_call_answer(req, answer, stream);
    }
    answer->type = FRAME_RESPONSE;
    answer->key = req->frame.key;
    answer->flags = stream >= 0 ? FRAME_STREAM : 0;
    return worker_output_send_with(req->owner->worker, answer, stream);
}

void worker_request_abandon(struct lpm_request *req)
{
    struct frame answer = {.error = LPM_ECANCELED};

    req->cancelled = true;
    worker_stream_cancelled(req);
    if (!req->open || tell_outcome(req, &answer, -1) == LPM_EIO) {
        return;
    }
    free_place(req);
    req->given_up = true;
    list_append(&req->owner->worker->given_up, &req->link);
}

struct lpm_request *worker_request_new(struct worker *w, struct lpm_worker *owner)
{
    struct lpm_request *req = take_object(w);

    if (req) {
        req->owner = owner;
        req->handle.owner = &owner->owner;
        req->open = true;
        req->cancelled = req->given_up = false;
        req->context = NULL;
        req->taken = 0;
        req->cursor = (struct frame_cursor){0, 0};
        req->call.made = false;
    }
    return req;
}

/* The listeners to "request" come after the hook, which may have answered already. */
static void tell_listeners(struct worker *w, struct lpm_worker *owner, struct frame_key key)
{
    struct lpm_request *req;

    if (!list_empty(&w->listeners.list) && (req = worker_request_find(w, key)) != NULL) {
        worker_event_tell(owner, "request", req);
    }
}

int worker_request_run(struct worker *w, struct channel_message *message, const struct frame *frame)
{
    struct lpm_request *req = NULL;
    struct lpm_worker *owner;
    uint32_t slot = frame->key.slot, seq = frame->key.seq, step;
    int rc = LPM_EPROTO;

    if (frame->handler < w->loader.count && w->modules[frame->handler].here &&
        w->modules[frame->handler].module->request) {
        rc = make_slot(w, frame->key.slot);
    }
    if (rc == 0 && (req = worker_request_new(w, &w->modules[frame->handler])) == NULL) {
        rc = LPM_ENOMEM;
    }
    if (rc != 0) {
        channel_release(w->channel, message);
        return rc;
    }
    req->frame = *frame;
    req->message = *message;
    w->slots[frame->key.slot] = req;
    list_append(&w->open, &req->link);
    w->open_count++;

    channel_show_started(w->channel, seq);
    channel_show_running(w->channel, seq);
    if (frame->flags != 0) {
        worker_output_say(w, FRAME_IDLE); /* the bus has no use for its copies of the descriptors any more */
    }
    owner = req->owner;
    w->running = &req->frame;
    step = worker_step_enter(owner, ROLE_STEP_REQUEST);
    owner->module->request(req);
    worker_step_back(owner, step);
    tell_listeners(w, owner, (struct frame_key){slot, seq});
    w->running = NULL;
    channel_show_running(w->channel, 0);

    /* An answer has told the bus already, though maybe before the handler was back. */
    w->owes_idle = channel_wanted(w->channel);
    if (w->owes_idle && worker_request_find(w, (struct frame_key){slot, seq})) {
        w->owes_idle = false;
        return worker_output_say(w, FRAME_IDLE);
    }
    worker_request_tell_idle(w);
    return 0;
}

void worker_request_tell_idle(struct worker *w)
{
    if (w->owes_idle && !channel_waiting(w->channel)) {
        w->owes_idle = false;
        worker_output_say(w, FRAME_IDLE);
    }
}

struct lpm_request *worker_request_find(const struct worker *w, struct frame_key key)
{
    struct lpm_request *req = key.slot < w->slot_count ? w->slots[key.slot] : NULL;
    return req && req->frame.key.seq == key.seq ? req : NULL;
}

static int set_status(struct lpm_request *req, lpm_slice value)
{
    int status = 0;

    if (value.len != 3) {
        return LPM_EINVAL;
    }
    for (size_t i = 0; i < 3; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return LPM_EINVAL;
        }
        status = status * 10 + (value.data[i] - '0');
    }
    if (status < 200 || status > 599) {
        return LPM_EINVAL;
    }
    req->status = status;
    return 0;
}

static int headers_reserve(struct lpm_request *req, size_t size)
{
    size_t room = req->headers_room ? req->headers_room : 512;
    char *headers;

    while (room < size) {
        room *= 2;
    }
    if (room == req->headers_room) {
        return 0;
    }
    headers = realloc(req->headers, room);
    if (!headers) {
        return LPM_ENOMEM;
    }
    req->headers = headers;
    req->headers_room = room;
    return 0;
}

int worker_request_header(struct lpm_request *req, lpm_slice name, lpm_slice value)
{
    size_t size;
    int rc;

    if (!name.data || !value.data || !frame_header_valid(name, value)) {
        return LPM_EINVAL;
    }
    if (lpm_slice_is(name, ":status")) {
        return set_status(req, value);
    }
    if (frame_header_settled((lpm_slice){req->headers, req->headers_len}, name)) {
        return 0;
    }
    if (name.len > HEADERS_MAX || value.len > HEADERS_MAX) {
        return LPM_ETOOBIG;
    }
    size = frame_header_size(name.len, value.len);
    if (req->headers_len + size > HEADERS_MAX) {
        return LPM_ETOOBIG;
    }
    rc = headers_reserve(req, req->headers_len + size);
    if (rc == 0) {
        frame_header_encode(req->headers + req->headers_len, name, value);
        req->headers_len += size;
        req->header_count++;
    }
    return rc;
}

/* What the answer says besides its data. The status goes as a header, like everything that only the ingress understands; it
 * does not become one of the request's, in case that the answer cannot be sent. */
static int add_headers(struct lpm_request *req, struct frame *answer)
{
    char text[4];
    size_t size = req->status ? frame_header_size(7, 3) : 0;
    int rc = size > 0 ? headers_reserve(req, req->headers_len + size) : 0;

    if (rc != 0) {
        return rc;
    }
    if (size > 0) {
        snprintf(text, sizeof(text), "%d", req->status);
        frame_header_encode(req->headers + req->headers_len, lpm_slice_of(":status"), lpm_slice_of(text));
    }
    answer->header_count = req->header_count + (size > 0);
    answer->headers = (lpm_slice){req->headers ? req->headers : "", req->headers_len + size};
    return 0;
}

int worker_request_respond(struct lpm_request *req, const void *data, size_t len, int stream)
{
    struct frame answer = {.error = req->cancelled ? LPM_ECANCELED : 0};
    int rc;

    if (len > FRAME_DATA_MAX) {
        return LPM_ETOOBIG;
    }
    if (len > 0 && !data) {
        return LPM_EINVAL;
    }
    if (req->call.made) {
        worker_call_look(req);
        answer.error = req->cancelled ? LPM_ECANCELED : 0;
    }
    if (req->given_up) {
        close_request(req);
        return LPM_ECANCELED;
    }
    if (!req->cancelled) {
        rc = add_headers(req, &answer);
        if (rc != 0) {
            return rc;
        }
        answer.data = (lpm_slice){data ? data : "", len};
    }
    rc = tell_outcome(req, &answer, req->cancelled ? -1 : stream);
    if (rc == LPM_ENOMEM || rc == LPM_ETOOBIG) {
        return rc;
    }
    close_request(req);
    return answer.error ? LPM_ECANCELED : rc;
}

int worker_request_misused(const struct lpm_request *req, const char *call)
{
    log_write(req->owner->worker->log, LPM_LOG_ERROR,
              "module \"%s\": %s() on request %s, which was answered already", req->owner->module->name, call,
              req->frame.id);
    return LPM_EDONE;
}

static void close_all(struct list *requests)
{
    while (!list_empty(requests)) {
        close_request(LIST_ENTRY(requests->next, struct lpm_request, link));
    }
}

void worker_request_free_all(struct worker *w)
{
    worker_call_fini(w);
    close_all(&w->open);
    close_all(&w->given_up);
    LIST_EACH(link, after, &w->idle)
    {
        struct lpm_request *req = LIST_ENTRY(link, struct lpm_request, link);
        list_remove(link);
        free(req->headers);
        free(req->call.payload);
        free(req);
    }
    free(w->slots);
}
