/*
 * A pool's queue and dispatch. Runs in the bus. What is not admitted is refused at once; what is, ends once.
 */
#include "bus/bus_pool.h"

#include <stdlib.h>

#include "base/clock.h"
#include "bus/bus_memory.h"
#include "bus/bus_worker.h"

/* While there is nothing to send some requests with, so many are looked at in a turn for one that needs none. */
#define CHEAP_LOOK_MAX 1024

/* Fewer requests are in the caches. */
#define FETCH_AHEAD 1024
#define CACHE_LINE  64

int bus_pool_init(struct bus_pool *pool, struct bus *bus, size_t place)
{
    pool->bus = bus;
    pool->place = place;
    pool->conf = &bus->start->core->pools[place];
    bus_pool_queue_init(pool);
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
        bus_pool_queue_fini(pool);
        bus_memory_fini(pool);
    }
    for (size_t i = 0; pool->workers && i < pool->made; i++) {
        bus_worker_fini(&pool->workers[i]);
    }
    free(pool->workers);
    bus_leak_fini(&pool->leak);
    bus_dispatch_fini(&pool->dispatch);
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

static struct bus_request *request_of(struct bus_queue_item *item)
{
    return LIST_ENTRY(item, struct bus_request, item);
}

/* 0; LPM_EAGAIN: no worker may have more; LPM_ENOMEM: nothing is left to send it with. Not sent, it keeps its place. */
static int send_one(struct bus_pool *pool, struct bus_request *req, uint64_t now)
{
    int place, rc;

    while ((place = bus_dispatch_pick(&pool->dispatch, now, req->socket >= 0)) >= 0) {
        rc = bus_worker_send(&pool->workers[place], req, now);
        if (rc == 0) {
            bus_dispatch_sent(&pool->dispatch, (size_t)place, now);
            return 0;
        }
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
    return req->with_descriptor || FRAME_HEAD_SIZE + req->item.bytes > CHANNEL_INLINE_MAX;
}

/* There is no memory, or are no descriptors: those that want some wait, and the others pass them. As send_all(). */
static bool send_cheap(struct bus_pool *pool, uint64_t now)
{
    struct bus_queue_item *item = bus_queue_after(&pool->queue, NULL);

    for (unsigned looked = 0; item && looked < CHEAP_LOOK_MAX; looked++) {
        struct bus_request *req = request_of(item);
        item = bus_queue_after(&pool->queue, item);
        if (!is_costly(req) && send_one(pool, req, now) == LPM_EAGAIN) {
            return false;
        }
    }
    return true;
}

/* In a long queue they have been out of the caches for long: the next but one is fetched while this one is sent, and the payload of
 * the next, whose address is there by now. */
static void fetch_ahead(const struct bus_pool *pool, const struct bus_queue_item *item)
{
    struct bus_queue_item *next = bus_queue_after(&pool->queue, item);
    struct bus_queue_item *then = next ? bus_queue_after(&pool->queue, next) : NULL;

    if (then) {
        const struct bus_request *req = request_of(next);
        __builtin_prefetch(req->payload);
        __builtin_prefetch(req->payload + CACHE_LINE);
        for (size_t at = 0; at < sizeof(*req); at += CACHE_LINE) {
            __builtin_prefetch((const char *)request_of(then) + at, 1);
        }
    }
}

/* Sends until the queue is empty (true) or no worker may have more. */
static bool send_all(struct bus_pool *pool)
{
    uint64_t now = clock_now(); /* what is sent now goes as one batch */
    struct bus_queue_item *item;

    while ((item = bus_queue_next(&pool->queue)) != NULL) {
        int rc;
        if (pool->queue.sum.count >= FETCH_AHEAD) {
            fetch_ahead(pool, item);
        }
        rc = send_one(pool, request_of(item), now);
        if (rc != 0) {
            return rc == LPM_ENOMEM && send_cheap(pool, now);
        }
    }
    return true;
}

void bus_pool_dispatch(struct bus_pool *pool)
{
    bool sent = true;

    if (pool->queue.sum.count > 0) {
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
    bus_pool_bound(pool);
}
