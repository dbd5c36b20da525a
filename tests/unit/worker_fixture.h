/*
 * A worker in the test's own process, with two modules; the test plays the bus.
 */
#ifndef WORKER_FIXTURE_H
#define WORKER_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "worker/worker_call.h"
#include "worker/worker_event.h"
#include "worker/worker_host.h"
#include "worker/worker_input.h"
#include "worker/worker_life.h"
#include "worker/worker_request.h"
#include "worker/worker_stream.h"

#define WAIT_MS 5000

enum { ANSWERS = 0, WITHOUT_HOOK, MODULES };

struct fixture {
    struct role_start start;
    struct worker worker;
    struct lpm_worker modules[MODULES];
    struct loader_module loaded[MODULES];
    struct channel *bus; /* the bus's end */
    uint32_t seq;
};

/* What the modules of the test do. */
typedef void (*hook_fn)(struct fixture *f, lpm_request *req);

struct script {
    struct fixture *f;
    hook_fn request;
    int calls;
    lpm_request *kept[8];
    int soft_kills;
};

static inline struct script *script_of(lpm_worker *w)
{
    return lpm_worker_context(w);
}

static inline void on_request(lpm_request *req)
{
    struct script *s = script_of(lpm_request_worker(req));

    s->kept[s->calls++ % 8] = req;
    if (s->request) {
        s->request(s->f, req);
    }
}

static inline void on_soft_kill(lpm_worker *w)
{
    script_of(w)->soft_kills++;
}

static inline struct script *script(struct fixture *f)
{
    return script_of(&f->modules[ANSWERS]);
}

static inline struct fixture *fixture_new(hook_fn request)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct worker *w = &f->worker;
    struct script *s = calloc(1, sizeof(*s));
    struct error err;
    int fds[2];

    assert_true(f && s);
    log_init(&f->start.log, -1, 0, "worker");
    *s = (struct script){.f = f, .request = request};
    f->loaded[ANSWERS].module = (lpm_module){.name = "answers", .request = on_request};
    f->loaded[WITHOUT_HOOK].module = (lpm_module){.name = "without"};
    w->start = &f->start;
    w->log = &f->start.log;
    strcpy(w->name, "default/0");
    worker_request_init(w);
    worker_event_init(w);
    w->base = event_base_new();
    w->loader = (struct loader){f->loaded, MODULES};
    w->modules = f->modules;
    worker_host_init(w);
    for (int i = 0; i < MODULES; i++) {
        struct lpm_worker *m = &f->modules[i];
        m->owner = (struct loader_owner){w->log, &w->conf_error, f->loaded[i].module.name};
        m->handle = (lpm_handle){&w->host, &m->owner};
        m->worker = w;
        m->handler.module = m;
        m->module = &f->loaded[i].module;
        m->here = m->ready = m->up = true;
        m->context = s;
    }
    assert_int_equal(channel_pair(fds, &err), 0);
    assert_int_equal(channel_new_bus(&f->bus, fds[0], &err), 0);
    assert_int_equal(channel_new_worker(&w->channel, fds[1], WAIT_MS, &err), 0);
    assert_int_equal(worker_input_init(w), 0);
    assert_int_equal(worker_call_init(w), 0);
    w->concurrency = 1000;
    w->timeout = LPM_NONE;
    return f;
}

static inline void fixture_free(struct fixture *f)
{
    free(script(f));
    worker_event_fini(&f->worker);
    worker_request_free_all(&f->worker);
    worker_stream_fini(&f->worker);
    worker_input_fini(&f->worker);
    event_base_free(f->worker.base);
    channel_free(f->worker.channel);
    if (f->bus) {
        channel_free(f->bus);
    }
    free(f);
}

static inline void turn(struct fixture *f)
{
    for (int i = 0; i < 6; i++) {
        event_base_loop(f->worker.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    }
}

/* The bus says it, at the next flush. */
static inline void say_later(struct fixture *f, const struct frame *frame)
{
    int code;
    char *room = channel_reserve(f->bus, frame_size(frame), &code);
    assert_non_null(room);
    frame_encode(frame, room);
    channel_commit(f->bus);
}

static inline void flush(struct fixture *f)
{
    assert_int_equal(channel_flush(f->bus), 0);
    turn(f);
}

static inline void say_about(struct fixture *f, enum frame_type type, struct frame_key key)
{
    struct frame frame = {.type = type, .key = key};
    say_later(f, &frame);
}

static inline void say(struct fixture *f, enum frame_type type)
{
    say_about(f, type, (struct frame_key){0, 0});
    flush(f);
}

static inline struct frame_key request_later(struct fixture *f, uint32_t slot, uint64_t deadline)
{
    char headers[64];
    char *end = frame_header_encode(headers, lpm_slice_of(":path"), lpm_slice_of("/x"));
    struct frame frame = {.type = FRAME_REQUEST,
                          .key = {slot, ++f->seq},
                          .handler = ANSWERS,
                          .created_at = 42,
                          .deadline = deadline,
                          .id = "01234567-89ab-4def-8123-456789abcdef",
                          .header_count = 1,
                          .headers = {headers, (size_t)(end - headers)},
                          .data = lpm_slice_of("ping")};
    say_later(f, &frame);
    return frame.key;
}

static inline struct frame_key request(struct fixture *f, uint32_t slot)
{
    struct frame_key key = request_later(f, slot, 0);
    flush(f);
    return key;
}

struct heard {
    enum frame_type type; /* FRAME_TYPE_END: nothing */
    struct frame_key key;
    int error;
    char data[64], status[8], all_headers[256];
};

/* What the bus hears next. */
static inline struct heard hear(struct fixture *f)
{
    struct heard heard = {.type = FRAME_TYPE_END};
    struct channel_message message;
    struct frame frame;
    const char *why;
    lpm_header header;
    size_t cursor = 0;

    if (channel_next(f->bus, &message, &why) != 1) {
        return heard;
    }
    assert_int_equal(frame_decode(&frame, message.data, message.len, &why), 0);
    heard.type = frame.type;
    heard.key = frame.key;
    heard.error = frame.error;
    snprintf(heard.data, sizeof(heard.data), "%.*s", (int)frame.data.len, frame.data.data);
    while (frame_header_next(frame.headers, &cursor, &header)) {
        size_t used = strlen(heard.all_headers);
        snprintf(heard.all_headers + used, sizeof(heard.all_headers) - used, "%s=%.40s;", header.name.data,
                 header.value.data);
    }
    channel_release(f->bus, &message);
    return heard;
}

/* Makes it a serving one. */
static inline void announce(struct fixture *f)
{
    worker_life_announce(&f->worker);
    assert_int_equal(hear(f).type, FRAME_READY);
}

#endif
