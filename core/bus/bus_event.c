/*
 * Events in the bus. Runs in the bus; a worker that emits faster than it is answered, beyond all bounds, is killed.
 */
#include "bus/bus_event.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "bus/bus_emission.h"
#include "bus/bus_health.h"
#include "bus/bus_lifecycle.h"

/* -- From workers ------------------------------------------------------------------------------------- */

static void refuse(struct bus_worker *w, const struct frame *emit, int error)
{
    struct frame reply = {.type = FRAME_REPLY, .key = {0, emit->key.seq}, .error = error};

    if ((emit->flags & FRAME_WANTS_REPLY) != 0) {
        bus_worker_post(w, &reply, -1);
    }
}

const char *bus_event_emitted(struct bus_worker *w, const struct frame *frame)
{
    struct bus *bus = w->pool->bus;
    struct lpm_event ev = {.data = frame->data, .worker = w};
    lpm_header header;
    size_t cursor = 0;
    uint32_t seq = frame->key.seq;

    frame_header_next(frame->headers, &cursor, &header);
    ev.name = header.value.data;
    if (role_event_check(ev.name, ROLE_EVENT_IN_BUS) != 0) {
        return "an event whose name is the core's own";
    }
    if ((frame->flags & FRAME_WANTS_REPLY) != 0 &&
        (w->emission_count + w->outbox_replies >= FRAME_EMITS_MAX ||
         w->emission_bytes >= FRAME_EMITS_BYTES_MAX)) {
        return "it emits more events than may wait for their reply";
    }
    if (!role_event_heard(&bus->listeners, NULL, ev.name)) {
        refuse(w, frame, LPM_ENOHANDLER);
        return NULL;
    }
    ev.request = bus_emission_new(w, frame, header.value);
    if (!ev.request) {
        refuse(w, frame, LPM_ENOMEM);
        return NULL;
    }
    role_event_tell(&bus->listeners, NULL, &ev);
    /* Nobody waits for an answer to it, so nobody is asked to keep it. */
    if (ev.request->open && ev.request->seq == seq && !ev.request->wants_reply) {
        bus_emission_close(ev.request, NULL);
    }
    return NULL;
}

void bus_event_forget(struct bus_worker *w)
{
    while (!list_empty(&w->emissions)) {
        bus_emission_lose(LIST_ENTRY(w->emissions.next, struct lpm_request, link), NULL);
    }
}

size_t bus_event_tell(struct bus *bus, const char *name, const struct bus_worker *w, const char *text)
{
    struct lpm_event ev = {.name = name, .data = lpm_slice_of(text), .worker = w};
    return role_event_tell(&bus->listeners, NULL, &ev);
}

void bus_event_init(struct bus *bus)
{
    role_event_init(&bus->listeners, bus->start->step);
    bus_emission_init(bus);
}

void bus_event_fini(struct bus *bus)
{
    bus_emission_fini(bus);
    role_event_fini(&bus->listeners);
}

/* -- To workers --------------------------------------------------------------------------------------- */

static struct bus_pool *pool_named(const struct bus *bus, const char *name)
{
    for (size_t i = 0; i < bus->pool_count; i++) {
        if (strcmp(bus->pools[i].conf->name, name) == 0) {
            return &bus->pools[i];
        }
    }
    return NULL;
}

/* One that is not open could never be sent. */
static bool may_be_sent(int fd)
{
    return fd <= 0 || fcntl(fd, F_GETFD) >= 0;
}

static int send_to_pool(struct bus_pool *pool, const struct frame *frame, int fd)
{
    int count = 0;

    for (size_t i = 0; i < pool->places; i++) {
        count += bus_worker_post(&pool->workers[i], frame, fd) == 0;
    }
    return count;
}

static int broadcast(lpm_supervisor *s, const char *pool, const char *event, const void *data, size_t len,
                     int fd)
{
    struct bus *bus = s->bus;
    struct bus_pool *only = pool ? pool_named(bus, pool) : NULL;
    char headers[32 + ROLE_EVENT_NAME_MAX];
    struct frame frame = {.type = FRAME_EVENT,
                          .flags = fd > 0 ? FRAME_STREAM : 0,
                          .header_count = 1,
                          .data = {data ? data : "", len}};
    int count = 0;

    if (role_event_check(event, ROLE_EVENT_IN_WORKER) != 0 || (len > 0 && !data) || (pool && !only) ||
        !may_be_sent(fd)) {
        return LPM_EINVAL;
    }
    if (len > FRAME_DATA_MAX) {
        return LPM_ETOOBIG;
    }
    frame.headers.data = headers;
    frame.headers.len =
        (size_t)(frame_header_encode(headers, lpm_slice_of(FRAME_EVENT_NAME), lpm_slice_of(event)) - headers);
    for (size_t i = 0; i < bus->pool_count; i++) {
        if (!only || only == &bus->pools[i]) {
            count += send_to_pool(&bus->pools[i], &frame, fd > 0 ? fd : -1);
        }
    }
    return count;
}

static int supervisor_broadcast(lpm_supervisor *s, const char *pool, const char *event, const void *data,
                                size_t len, int fd)
{
    return loader_misused(s, "lpm_supervisor_broadcast", broadcast(s, pool, event, data, len, fd));
}

/* -- The host table ----------------------------------------------------------------------------------- */

/* The master is told who acts on SIGINT when that changes. */
static void settle_sigint(struct bus *bus)
{
    bool wanted = role_event_heard(&bus->listeners, NULL, "SIGINT");

    if (wanted != bus->sigint_wanted) {
        bus->sigint_wanted = wanted;
        bus_lifecycle_want_signal(bus, SIGINT, wanted);
    }
}

void bus_event_sigint(struct bus *bus)
{
    if (bus_event_tell(bus, "SIGINT", NULL, "") == 0) {
        bus_lifecycle_tell_master(bus, CONTROL_ASK_HARD_KILL, NULL);
    }
    settle_sigint(bus); /* one that was added with once() has gone */
}

static int on(const void *handle, const char *event, lpm_event_fn fn, void *arg, int once)
{
    const struct lpm_supervisor *s = handle;
    int rc = role_event_on(&s->bus->listeners, s, (size_t)(s - s->bus->modules), event, fn, arg, once != 0);

    settle_sigint(s->bus);
    return loader_misused(s, once ? "lpm_supervisor_once" : "lpm_supervisor_on", rc);
}

static int off(const void *handle, const char *event, lpm_event_fn fn, void *arg)
{
    const struct lpm_supervisor *s = handle;
    int rc = role_event_off(&s->bus->listeners, s, event, fn, arg);

    settle_sigint(s->bus);
    return loader_misused(s, "lpm_supervisor_off", rc);
}

static int event_worker(const lpm_event *ev, lpm_health *worker, size_t size)
{
    lpm_health health;

    if (!ev->worker) {
        return LPM_EINVAL;
    }
    bus_health_fill(ev->worker, &health);
    memcpy(worker, &health, size < sizeof(health) ? size : sizeof(health));
    return 0;
}

void bus_event_host_init(lpm_host *host)
{
    role_event_host_init(host);
    bus_emission_host_init(host);
    host->on = on;
    host->off = off;
    host->event_worker = event_worker;
    host->supervisor_broadcast = supervisor_broadcast;
}
