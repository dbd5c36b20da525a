/*
 * A bus in the test's own process, with one pool of one worker; the test plays the master and the worker.
 */
#ifndef BUS_FIXTURE_H
#define BUS_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bus/bus_control.h"
#include "bus/bus_enqueue.h"
#include "bus/bus_event.h"
#include "bus/bus_handover.h"
#include "bus/bus_host.h"
#include "bus/bus_lifecycle.h"
#include "bus/bus_master.h"
#include "bus/bus_reload.h"
#include "bus/bus_reopen.h"
#include "bus/bus_response.h"
#include "bus/bus_rule.h"
#include "bus/bus_succession.h"
#include "bus/bus_watch.h"

#define NOT_CALLED 99
#define WAIT_MS    5000
#define SOON_MS    100 /* a deadline that passes in a test, but not between two of its lines on a slow machine */

static inline void handle(lpm_request *req)
{
    (void)req;
}

static const lpm_module module = {.name = "m", .request = handle};

struct outcome {
    int calls;
    int error;
    char data[32];
    char worker[32];
};

struct fixture {
    struct conf_pool conf;
    struct conf_core core;
    struct role_start start;
    struct bus bus;
    struct lpm_supervisor supervisor;
    struct lpm_handler handler;
    int master;              /* the master's end */
    struct channel *channel; /* the worker's end */
    uint32_t incarnation;
};

static inline struct fixture *fixture_of(unsigned workers, unsigned concurrency)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct error err;
    int fds[2];

    assert_non_null(f);
    f->conf = (struct conf_pool){.name = "default",
                                 .count = workers,
                                 .concurrency = concurrency,
                                 .rss_limit = LPM_NONE,
                                 .max_requests = LPM_NONE,
                                 .max_age = LPM_NONE,
                                 .kill_after = 20,
                                 .slow_request = LPM_NONE,
                                 .queue_limit = 8,
                                 .queue_bytes = LPM_NONE,
                                 .queue_timeout = LPM_NONE};
    f->core = (struct conf_core){.timeout = LPM_NONE,
                                 .retries = 0,
                                 .poison_after = 2,
                                 .queue_total_limit = LPM_NONE,
                                 .queue_total_bytes = LPM_NONE,
                                 .pools = &f->conf,
                                 .pool_count = 1};
    f->core.tree = conf_tree_new();
    assert_non_null(f->core.tree);
    assert_int_equal(control_pair(fds, &err), 0);
    f->master = fds[0];
    f->start.core = &f->core;
    f->start.channel = fds[1];
    log_init(&f->start.log, -1, 0, "bus");
    f->start.trouble = "";
    f->bus.start = &f->start;
    bus_reload_init(&f->bus);
    f->bus.log = &f->start.log;
    f->bus.base = event_base_new();
    f->bus.modules = &f->supervisor;
    f->bus.handlers = &f->handler;
    f->bus.handler_count = 1;
    list_init(&f->bus.request_free);
    bus_event_init(&f->bus);
    bus_rule_init(&f->bus);
    bus_handover_init(&f->bus);
    bus_reopen_init(&f->bus);
    bus_host_init(&f->bus);
    f->supervisor.bus = &f->bus;
    f->supervisor.module = &module;
    f->supervisor.owner = (struct loader_owner){f->bus.log, NULL, "m"};
    f->supervisor.handle = (lpm_handle){&f->bus.host, &f->supervisor.owner};
    f->bus.pools = calloc(1, sizeof(*f->bus.pools));
    assert_non_null(f->bus.pools);
    f->bus.pool_count = 1;
    assert_int_equal(bus_pool_init(f->bus.pools, &f->bus, 0), 0);
    f->handler = (struct lpm_handler){
        .name = "m", .index = 0, .pool = f->bus.pools, .in_pool = f->bus.pools->handler_count++};
    assert_int_equal(bus_control_init(&f->bus), 0);
    return f;
}

static inline struct fixture *fixture_with(unsigned concurrency)
{
    return fixture_of(1, concurrency);
}

static inline struct fixture *fixture_new(void)
{
    return fixture_with(4);
}

static inline void fixture_free(struct fixture *f)
{
    if (f->channel) {
        channel_free(f->channel);
    }
    bus_pool_fini(f->bus.pools);
    bus_request_free_all(&f->bus);
    bus_event_fini(&f->bus);
    bus_rule_fini(&f->bus);
    bus_reopen_fini(&f->bus);
    bus_master_fini(&f->bus);
    bus_watch_fini(&f->bus);
    free(f->bus.pools);
    conf_tree_free(f->core.tree);
    event_del(&f->bus.master_readable);
    event_base_free(f->bus.base);
    close(f->master);
    close(f->start.channel);
    free(f);
}

/* The worker in the bus's table. */
static inline struct bus_worker *worker(struct fixture *f)
{
    return &f->bus.pools->workers[0];
}

static inline void turn(struct fixture *f)
{
    for (int i = 0; i < 6; i++) {
        event_base_loop(f->bus.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        bus_lifecycle_end_turn(&f->bus);
    }
}

/* Turns until `*what` is `value`. */
static inline void turn_until(struct fixture *f, const int *what, int value)
{
    uint64_t end = clock_now() + WAIT_MS * CLOCK_NS_PER_MS;
    while (*what != value && clock_now() < end) {
        event_base_loop(f->bus.base, EVLOOP_ONCE);
        bus_lifecycle_end_turn(&f->bus);
    }
    assert_int_equal(*what, value);
}

/* The master forks a worker: the test itself. */
static inline void start_worker(struct fixture *f)
{
    struct control message = {.type = CONTROL_WORKER_NEW, .incarnation = ++f->incarnation, .pid = getpid()};
    struct error err;
    int fds[2];

    assert_int_equal(channel_pair(fds, &err), 0);
    assert_int_equal(control_send(f->master, &message, fds[0]), 0);
    close(fds[0]);
    turn(f);
    assert_int_equal(channel_new_worker(&f->channel, fds[1], WAIT_MS, &err), 0);
}

static inline void say_bytes(struct fixture *f, const void *bytes, size_t len)
{
    int code;
    char *room = channel_reserve(f->channel, len, &code);
    assert_non_null(room);
    memcpy(room, bytes, len);
    channel_commit(f->channel);
    assert_int_equal(channel_flush(f->channel), 0);
}

static inline void say(struct fixture *f, const struct frame *frame)
{
    size_t size = frame_size(frame);
    char *bytes = malloc(size);
    assert_non_null(bytes);
    frame_encode(frame, bytes);
    say_bytes(f, bytes, size);
    free(bytes);
}

static inline void say_type(struct fixture *f, enum frame_type type)
{
    struct frame frame = {.type = type};
    say(f, &frame);
}

/* What the worker hears next; FRAME_TYPE_END: nothing. */
static inline enum frame_type hear(struct fixture *f, struct frame_key *key)
{
    struct channel_message message;
    struct frame frame;
    const char *why;

    *key = (struct frame_key){0, 0};
    if (channel_next(f->channel, &message, &why) != 1) {
        return FRAME_TYPE_END;
    }
    assert_int_equal(frame_decode(&frame, message.data, message.len, &why), 0);
    *key = frame.key;
    channel_release(f->channel, &message);
    return frame.type;
}

/* What the master hears next; CONTROL_TYPE_END: nothing. */
static inline uint32_t master_hears(struct fixture *f)
{
    struct control message;
    int fd = -1;
    return control_receive(f->master, &message, &fd) == 1 ? message.type : CONTROL_TYPE_END;
}

static inline void start_ready_worker(struct fixture *f)
{
    start_worker(f);
    say_type(f, FRAME_READY);
    turn(f);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    while (master_hears(f) != CONTROL_TYPE_END) {
    }
}

static inline void die(struct fixture *f)
{
    channel_free(f->channel);
    f->channel = NULL;
    turn(f);
}

static inline void reap(struct fixture *f)
{
    struct control message = {.type = CONTROL_WORKER_GONE, .incarnation = f->incarnation, .status = 9};
    assert_int_equal(control_send(f->master, &message, -1), 0);
    turn(f);
    assert_int_equal(worker(f)->state, BUS_WORKER_ABSENT);
}

static inline void on_response(lpm_response *res, void *arg)
{
    struct outcome *o = arg;
    lpm_slice data = lpm_response_data(res);

    o->calls++;
    o->error = lpm_response_error(res);
    assert_true(data.len < sizeof(o->data));
    memcpy(o->data, data.data, data.len);
    strcpy(o->worker, lpm_response_worker(res));
}

static inline int enqueue(struct fixture *f, struct outcome *o, int64_t timeout, int64_t retries,
                          uint64_t *ticket)
{
    lpm_header header = {lpm_slice_of(":path"), lpm_slice_of("/x")};
    lpm_enqueue spec = {.size = sizeof(spec),
                        .handler = &f->handler,
                        .headers = &header,
                        .header_count = 1,
                        .data = "ping",
                        .len = 4,
                        .timeout = timeout,
                        .retries = retries,
                        .ticket = ticket};
    memset(o, 0, sizeof(*o));
    o->error = NOT_CALLED;
    return lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, o);
}

/* A time limit that does not pass before the worker has the request, however slow the machine is: see expire(). */
#define LONG_MS 60000

/* The time limit of the worker's request passes. */
static inline void expire(struct fixture *f, uint32_t slot)
{
    struct bus_request *req = worker(f)->slots[slot];
    struct timeval at_once = {0, 0};

    assert_non_null(req);
    req->deadline = req->due = clock_now();
    event_add(&req->timer, &at_once);
}

static inline void put(struct fixture *f, struct outcome *o, int64_t retries)
{
    assert_int_equal(enqueue(f, o, LPM_NONE, retries, NULL), 0);
}

/* The handler answers, and the board goes on to say that it runs. */
static inline void answer(struct fixture *f, struct frame_key key, const char *text)
{
    struct frame frame = {.type = FRAME_RESPONSE, .key = key, .data = lpm_slice_of(text)};
    say(f, &frame);
}

/* It comes back with its answer; else a bus that found it slow would send nothing behind it. */
static inline void answer_and_return(struct fixture *f, struct frame_key key, const char *text)
{
    channel_show_running(f->channel, 0);
    answer(f, key, text);
}

static inline void begin(struct fixture *f, struct frame_key key)
{
    channel_show_started(f->channel, key.seq);
    channel_show_running(f->channel, key.seq);
}

static inline void wait_to_hear(struct fixture *f, enum frame_type type, struct frame_key *key)
{
    uint64_t end = clock_now() + WAIT_MS * CLOCK_NS_PER_MS;
    enum frame_type heard;

    while ((heard = hear(f, key)) == FRAME_TYPE_END && clock_now() < end) {
        event_base_loop(f->bus.base, EVLOOP_ONCE);
        bus_lifecycle_end_turn(&f->bus);
    }
    assert_int_equal(heard, type);
}

/* Turns until the worker has `state`, or for `ms`. */
static inline void turn_for(struct fixture *f, enum bus_worker_state state, uint64_t ms)
{
    uint64_t end = clock_now() + ms * CLOCK_NS_PER_MS;
    while (worker(f)->state != state && clock_now() < end) {
        struct timeval tick = {0, 1000};
        event_base_loopexit(f->bus.base, &tick);
        event_base_loop(f->bus.base, EVLOOP_ONCE);
        bus_lifecycle_end_turn(&f->bus);
    }
}

#endif
