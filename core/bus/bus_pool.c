/*
 * A pool's queue and dispatch. Runs in the bus. What is not admitted is refused at once; what is, ends once.
 */
#include "bus/bus_pool.h"

#include <stdlib.h>

#include "base/clock.h"
#include "bus/bus_memory.h"
#include "bus/bus_worker.h"

/* Retry-After while nothing is known of the drain rate, and its bound. */
#define RETRY_AFTER_UNKNOWN_MS 1000
#define RETRY_AFTER_MAX_MS     60000

static void arm_age(struct bus_pool *pool);

static size_t request_bytes(const struct bus_request *req)
{
    return req->headers_len + req->data_len;
}

static uint64_t age_limit(const struct bus_pool *pool)
{
    return (uint64_t)pool->conf->queue_timeout * CLOCK_NS_PER_MS;
}

/* The request that has waited longest, or NULL. What came back from a dead worker stands at the head and is younger
 * in the queue than those behind it, which are in order. */
static struct bus_request *oldest(const struct bus_pool *pool)
{
    struct bus_request *found = NULL;

    LIST_EACH(link, after, &pool->queue)
    {
        struct bus_request *req = LIST_ENTRY(link, struct bus_request, link);
        if (!found || req->queued_at < found->queued_at) {
            found = req;
        }
        if (!req->worker) {
            break;
        }
    }
    return found;
}

/* Refuses what has waited too long. */
static void on_age(evutil_socket_t fd, short what, void *arg)
{
    struct bus_pool *pool = arg;
    uint64_t now = clock_now();
    struct bus_request *req;

    (void)fd;
    (void)what;
    pool->age_armed = false;
    /* What a callback enqueues meanwhile is younger than `now`. */
    while ((req = oldest(pool)) != NULL && now >= req->queued_at + age_limit(pool)) {
        bus_pool_remove(pool, req);
        bus_request_finish(pool->bus, req, LPM_EFULL, "no worker had room within queue_timeout", NULL, false);
    }
    arm_age(pool);
}

static void arm_age(struct bus_pool *pool)
{
    struct bus_request *req;
    uint64_t now, due;
    struct timeval wait;

    if (pool->conf->queue_timeout == LPM_NONE || pool->age_armed || !(req = oldest(pool))) {
        return;
    }
    now = clock_now();
    due = req->queued_at + age_limit(pool);
    wait = clock_timeval(due > now ? due - now : 0);
    pool->age_armed = event_add(&pool->age, &wait) == 0;
}

int bus_pool_init(struct bus_pool *pool, struct bus *bus, size_t place)
{
    pool->bus = bus;
    pool->place = place;
    pool->conf = &bus->start->core->pools[place];
    list_init(&pool->queue);
    event_assign(&pool->age, bus->base, -1, 0, on_age, pool);
    bus_memory_init(pool);
    /* Pages that are never touched cost nothing. */
    pool->workers = calloc(CONF_CORE_WORKERS_MAX, sizeof(*pool->workers));
    if (!pool->workers ||
        bus_dispatch_init(&pool->dispatch, pool->conf->dispatch, CONF_CORE_WORKERS_MAX) != 0) {
        return LPM_ENOMEM;
    }
    for (; pool->made < pool->conf->count; pool->made++) {
        int rc = bus_worker_init(&pool->workers[pool->made], pool, pool->made);
        if (rc != 0) {
            return rc;
        }
    }
    pool->places = pool->made;
    pool->target = pool->conf->count;
    return 0;
}

void bus_pool_fini(struct bus_pool *pool)
{
    if (pool->bus) {
        event_del(&pool->age);
        bus_memory_fini(pool);
    }
    for (size_t i = 0; pool->workers && i < pool->made; i++) {
        bus_worker_fini(&pool->workers[i]);
    }
    free(pool->workers);
    bus_leak_fini(&pool->leak);
    bus_dispatch_fini(&pool->dispatch);
}

int bus_pool_admit(const struct bus_pool *pool, size_t bytes)
{
    const struct conf_pool *conf = pool->conf;

    if (pool->degraded && pool->alive == 0) {
        return LPM_ENOWORKER;
    }
    /* What has come in this turn may find a worker at its end: see refuse_excess(). */
    if ((conf->queue_limit != LPM_NONE && pool->left >= (uint64_t)conf->queue_limit) ||
        (conf->queue_bytes != LPM_NONE && pool->queued_bytes + bytes > (uint64_t)conf->queue_bytes)) {
        return LPM_EFULL;
    }
    return 0;
}

static void enter(struct bus_pool *pool, struct bus_request *req, struct list *where)
{
    req->state = BUS_REQUEST_QUEUED;
    list_insert(where, &req->link);
    pool->queued++;
    pool->queued_bytes += request_bytes(req);
    arm_age(pool);
}

void bus_pool_push(struct bus_pool *pool, struct bus_request *req)
{
    req->queued_at = req->created_at;
    enter(pool, req, pool->queue.prev);
}

void bus_pool_push_back(struct bus_pool *pool, struct bus_request *req)
{
    enter(pool, req, &pool->queue);
}

void bus_pool_remove(struct bus_pool *pool, struct bus_request *req)
{
    list_remove(&req->link);
    pool->queued--;
    pool->queued_bytes -= request_bytes(req);
}

/* Calls it with each touched worker, in order. Those that it touches may have to wait for the next time. */
static void each_touched(struct bus_pool *pool, void (*fn)(struct bus_worker *))
{
    for (size_t i = 0; i * 64 < pool->made; i++) {
        for (uint64_t bits = pool->touched[i]; bits != 0; bits &= bits - 1) {
            fn(&pool->workers[i * 64 + (size_t)__builtin_ctzll(bits)]);
        }
    }
}

static void look_at_touched(struct bus_pool *pool)
{
    each_touched(pool, bus_worker_look);
}

static void end_turn_of(struct bus_worker *w)
{
    bus_worker_let_go(w);
    bus_worker_go_home(w);
    bus_worker_flush(w);
    if (bus_worker_is_quiet(w)) {
        w->pool->touched[w->index / 64] &= ~(UINT64_C(1) << w->index % 64);
        bus_worker_look(w); /* once more; if it was no good, this touches it */
    }
}

void bus_pool_end_turn(struct bus_pool *pool)
{
    each_touched(pool, end_turn_of);
}

static void want(struct bus_pool *pool, bool wanting)
{
    pool->wanting = wanting;
    for (size_t i = 0; i < pool->places; i++) {
        bus_worker_want(&pool->workers[i], wanting);
    }
}

/* 0; LPM_EAGAIN: no worker may have more; LPM_ENOMEM: nothing is left to send it with. Not sent, it keeps its place. */
static int send_one(struct bus_pool *pool, struct bus_request *req)
{
    struct list *before = req->link.prev;
    uint64_t now = clock_now();
    int place, rc;

    while ((place = bus_dispatch_pick(&pool->dispatch, now, req->socket >= 0)) >= 0) {
        bus_pool_remove(pool, req);
        rc = bus_worker_send(&pool->workers[place], req);
        if (rc == 0) {
            bus_dispatch_sent(&pool->dispatch, (size_t)place, now);
            return 0;
        }
        enter(pool, req, before);
        if (rc == LPM_ENOMEM) {
            return rc;
        }
        pool->dispatch.loads[place].ready = false; /* not in this turn */
        bus_dispatch_update(&pool->dispatch, (size_t)place);
    }
    return LPM_EAGAIN;
}

/* Does it take memory or descriptors of its own on its way? */
static bool is_costly(const struct bus_request *req)
{
    return req->with_descriptor || FRAME_HEAD_SIZE + request_bytes(req) > CHANNEL_INLINE_MAX;
}

/* Sends until the queue is empty (true) or no worker may have more. While there are no memory or descriptors, those that want
 * some wait, and the others pass them. */
static bool send_all(struct bus_pool *pool)
{
    bool starved = false;

    LIST_EACH(link, after, &pool->queue)
    {
        struct bus_request *req = LIST_ENTRY(link, struct bus_request, link);
        int rc = starved && is_costly(req) ? LPM_ENOMEM : send_one(pool, req);
        if (rc == LPM_EAGAIN) {
            return false;
        }
        starved = starved || rc == LPM_ENOMEM;
    }
    return true;
}

/* The last that came are the first to go; what came back from a dead worker stays. */
static void refuse_excess(struct bus_pool *pool)
{
    const struct conf_pool *conf = pool->conf;

    while (conf->queue_limit != LPM_NONE && pool->queued > (uint64_t)conf->queue_limit) {
        struct bus_request *req = LIST_ENTRY(pool->queue.prev, struct bus_request, link);
        if (req->worker) {
            return;
        }
        bus_pool_remove(pool, req);
        bus_request_finish(pool->bus, req, LPM_EFULL, "the queue is full", NULL, false);
    }
}

void bus_pool_dispatch(struct bus_pool *pool)
{
    bool sent = true;

    if (!list_empty(&pool->queue)) {
        look_at_touched(pool);
        sent = send_all(pool);
        /* Nobody is free. Whoever becomes so before he learns that he is to tell is found by a second look. */
        if (!sent && !pool->wanting) {
            want(pool, true);
            look_at_touched(pool);
            sent = send_all(pool);
        }
    }
    if (sent && pool->wanting) {
        want(pool, false);
    }
    pool->left = pool->queued; /* what callbacks enqueue is refused at once, or this would have no end */
    refuse_excess(pool);
    pool->left = pool->queued;
}

void bus_pool_count_done(struct bus_pool *pool, uint64_t now)
{
    if (pool->last_done && pool->queued > 0) {
        pool->done_average = bus_load_average(pool->done_average, now - pool->last_done);
    }
    pool->last_done = now;
}

int64_t bus_pool_retry_after(const struct bus_pool *pool)
{
    uint64_t now = clock_now(), ms;

    if (pool->degraded && pool->alive == 0) {
        ms = pool->degraded > now ? (pool->degraded - now) / CLOCK_NS_PER_MS : 0;
    } else if (pool->done_average == 0) {
        ms = RETRY_AFTER_UNKNOWN_MS;
    } else {
        ms = pool->queued * pool->done_average / CLOCK_NS_PER_MS;
    }
    return ms < 1 ? 1 : ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : (int64_t)ms;
}

void bus_pool_refuse_all(struct bus_pool *pool, int error, const char *text)
{
    while (!list_empty(&pool->queue)) {
        struct bus_request *req = LIST_ENTRY(pool->queue.next, struct bus_request, link);
        bus_pool_remove(pool, req);
        bus_request_finish(pool->bus, req, error, text, NULL, false);
    }
}
