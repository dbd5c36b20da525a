/*
 * Events in a worker. Runs in a worker; the bus is believed to answer each emit that wants it.
 */
#include "worker/worker_event.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "worker/worker_output.h"
#include "worker/worker_response.h"

/* An emit whose reply is awaited. */
struct emit {
    struct list link, same; /* in worker->emits, in its list of worker->emit_table */
    uint32_t seq;
    size_t len; /* of its data */
    struct lpm_worker *module;
    lpm_response_fn on_reply;
    void *arg;
    uint64_t created_at;
};

void worker_event_init(struct worker *w)
{
    role_event_init(&w->listeners, w->start->step);
    list_init(&w->emits);
    for (size_t i = 0; i < WORKER_EMIT_LISTS; i++) {
        list_init(&w->emit_table[i]);
    }
}

void worker_event_broadcast(struct worker *w, const struct frame *frame, int fd)
{
    lpm_header header;
    size_t cursor = 0;
    struct lpm_event ev = {.data = frame->data, .fd = fd >= 0 ? &fd : NULL};

    frame_header_next(frame->headers, &cursor, &header);
    ev.name = header.value.data;
    role_event_tell(&w->listeners, NULL, &ev);
    fd_close(&fd);
}

size_t worker_event_tell(struct lpm_worker *m, const char *name, lpm_request *req)
{
    struct lpm_event ev = {.name = name, .data = {"", 0}, .request = req};
    return role_event_tell(&m->worker->listeners, m, &ev);
}

/* -- Emits -------------------------------------------------------------------------------------------- */

/* Numbers come one after the other, so the lists are as good as equally long. */
static struct list *table_place(struct worker *w, uint32_t seq)
{
    return &w->emit_table[seq % WORKER_EMIT_LISTS];
}

static const char *error_text(int error)
{
    switch (error) {
    case 0:
        return "";
    case LPM_ENOHANDLER:
        return "nobody listens to the event";
    case LPM_ETIMEDOUT:
        return "no listener answered in time";
    case LPM_ESHUTDOWN:
        return "the worker ends";
    case LPM_EFULL:
        return "too much waits for this worker, which does not read: the answer was dropped";
    default:
        return "the bus could not answer";
    }
}

static void finish(struct worker *w, struct emit *emit, int error, lpm_slice headers, lpm_slice data)
{
    struct lpm_response res = {.handle = emit->module->handle,
                               .error = error,
                               .text = error_text(error),
                               .id = "",
                               .worker = w->name,
                               .created_at = emit->created_at,
                               .headers = headers,
                               .data = data};

    uint32_t step;

    list_remove(&emit->link);
    list_remove(&emit->same);
    w->emit_count--;
    w->emit_bytes -= emit->len;
    step = worker_step_enter(emit->module, ROLE_STEP_RESPONSE);
    emit->on_reply(&res, emit->arg);
    worker_step_back(emit->module, step);
    free(emit);
}

int worker_event_reply(struct worker *w, const struct frame *frame)
{
    const struct list *place = table_place(w, frame->key.seq);

    LIST_EACH(link, after, place)
    {
        struct emit *emit = LIST_ENTRY(link, struct emit, same);
        if (emit->seq == frame->key.seq) {
            finish(w, emit, frame->error, frame->headers, frame->data);
            return 0;
        }
    }
    return LPM_EPROTO;
}

void worker_event_fini(struct worker *w)
{
    static const lpm_slice nothing = {"", 0};

    w->over = true; /* what a callback emits now is refused */
    LIST_EACH(link, after, &w->emits)
    {
        finish(w, LIST_ENTRY(link, struct emit, link), LPM_ESHUTDOWN, nothing, nothing);
    }
    role_event_fini(&w->listeners);
}

static struct emit *emit_new(struct lpm_worker *m, size_t len, lpm_response_fn on_reply, void *arg)
{
    struct emit *emit = calloc(1, sizeof(*emit));

    if (emit) {
        emit->module = m;
        emit->len = len;
        emit->on_reply = on_reply;
        emit->arg = arg;
        emit->created_at = clock_now();
    }
    return emit;
}

static int check(const struct worker *w, const char *event, const void *data, size_t len, bool wants_reply)
{
    if (role_event_check(event, ROLE_EVENT_IN_BUS) != 0 || (len > 0 && !data)) {
        return LPM_EINVAL;
    }
    if (len > FRAME_DATA_MAX) {
        return LPM_ETOOBIG;
    }
    if (w->over) {
        return LPM_ESHUTDOWN;
    }
    return wants_reply && (w->emit_count >= FRAME_EMITS_MAX || w->emit_bytes >= FRAME_EMITS_BYTES_MAX)
               ? LPM_EFULL
               : 0;
}

static int worker_emit(lpm_worker *m, const char *event, const void *data, size_t len,
                       lpm_response_fn on_reply, void *arg)
{
    struct worker *w = m->worker;
    char headers[32 + ROLE_EVENT_NAME_MAX];
    struct frame frame = {.type = FRAME_EMIT, .header_count = 1, .data = {data ? data : "", len}};
    struct emit *emit = NULL;
    char *end;
    int rc = check(w, event, data, len, on_reply != NULL);

    if (rc == LPM_ESHUTDOWN) {
        log_write(w->log, LPM_LOG_ERROR, "module \"%s\": lpm_worker_emit() refused: the worker ends",
                  m->module->name);
    }
    if (rc == 0 && on_reply && (emit = emit_new(m, len, on_reply, arg)) == NULL) {
        rc = LPM_ENOMEM;
    }
    if (rc != 0) {
        return loader_misused(m, "lpm_worker_emit", rc);
    }
    end = frame_header_encode(headers, lpm_slice_of(FRAME_EVENT_NAME), lpm_slice_of(event));
    frame.headers = (lpm_slice){headers, (size_t)(end - headers)};
    frame.flags = emit ? FRAME_WANTS_REPLY : 0;
    w->emit_seq = w->emit_seq == UINT32_MAX ? 1 : w->emit_seq + 1;
    frame.key.seq = w->emit_seq;
    rc = worker_output_send(w, &frame);
    if (rc != 0) {
        free(emit);
        return rc == LPM_EIO ? LPM_ESHUTDOWN : rc;
    }
    if (emit) {
        emit->seq = frame.key.seq;
        list_append(&w->emits, &emit->link);
        list_append(table_place(w, emit->seq), &emit->same);
        w->emit_count++;
        w->emit_bytes += len;
    }
    return 0;
}

/* -- The host table ----------------------------------------------------------------------------------- */

static int on(const void *handle, const char *event, lpm_event_fn fn, void *arg, int once)
{
    const struct lpm_worker *m = handle;
    int rc =
        role_event_on(&m->worker->listeners, m, (size_t)(m - m->worker->modules), event, fn, arg, once != 0);
    return loader_misused(m, once ? "lpm_worker_once" : "lpm_worker_on", rc);
}

static int off(const void *handle, const char *event, lpm_event_fn fn, void *arg)
{
    const struct lpm_worker *m = handle;
    return loader_misused(m, "lpm_worker_off", role_event_off(&m->worker->listeners, m, event, fn, arg));
}

static int event_worker(const lpm_event *ev, lpm_health *worker, size_t size)
{
    (void)ev;
    (void)worker;
    (void)size;
    return LPM_EINVAL;
}

void worker_event_host_init(lpm_host *host)
{
    role_event_host_init(host);
    host->on = on;
    host->off = off;
    host->worker_emit = worker_emit;
    host->event_worker = event_worker;
}
