/*
 * A pool's queue: who may wait in it, and for how long. Runs in the bus. What is not admitted is refused at once; what is, ends
 * once.
 */
#include "bus/bus_pool.h"

#include "base/clock.h"
#include "base/siphash.h"

/* Retry-After while nothing is known of the drain rate, and its bound. */
#define RETRY_AFTER_UNKNOWN_MS 1000
#define RETRY_AFTER_MAX_MS     60000

/* A line in the log that the pool sheds load, at the most each ... */
#define SHED_LOG_EACH (10 * CLOCK_NS_PER_S)

/* One that was sent counts an eighth in the average of their waiting; it says nothing any more after ... */
#define WAIT_WEIGHT 8
#define WAIT_KNOWN  CLOCK_NS_PER_S

static void arm_age(struct bus_pool *pool);

static struct bus_request *request_of(struct bus_queue_item *item)
{
    return LIST_ENTRY(item, struct bus_request, item);
}

/* -- Refusing ----------------------------------------------------------------------------------------- */

/* Counts it, and tells the log at times. */
static void count_shed(struct bus_pool *pool, enum bus_shed why, uint64_t now)
{
    pool->shed[why]++;
    if (pool->shed_logged && now - pool->shed_logged < SHED_LOG_EACH) {
        return;
    }
    pool->shed_logged = now;
    log_write(pool->bus->log, LPM_LOG_WARN,
              "pool %s sheds load: refused since its start: %llu over a bound of the queue, %llu over "
              "queue_timeout, %llu that would have waited in vain, %llu over their client's share",
              pool->conf->name, (unsigned long long)pool->shed[BUS_SHED_FULL],
              (unsigned long long)pool->shed[BUS_SHED_OLD], (unsigned long long)pool->shed[BUS_SHED_HOPELESS],
              (unsigned long long)pool->shed[BUS_SHED_UNFAIR]);
}

static void shed(struct bus_pool *pool, struct bus_queue_item *item, enum bus_shed why, uint64_t now)
{
    struct bus_request *req = request_of(item);

    bus_pool_remove(pool, req);
    count_shed(pool, why, now);
    bus_request_finish(pool->bus, req, LPM_ESHED,
                       why == BUS_SHED_OLD ? "no worker had room within queue_timeout" : "the queue is full",
                       NULL, false);
}

/* -- Age ---------------------------------------------------------------------------------------------- */

static uint64_t age_limit(const struct bus_pool *pool)
{
    return (uint64_t)pool->conf->queue_timeout * CLOCK_NS_PER_MS;
}

/* Refuses what has waited too long. */
static void on_age(evutil_socket_t fd, short what, void *arg)
{
    struct bus_pool *pool = arg;
    uint64_t now = clock_now();
    struct bus_queue_item *item;

    (void)fd;
    (void)what;
    pool->age_armed = false;
    /* What a callback enqueues meanwhile is younger than `now`. */
    while ((item = bus_queue_oldest(&pool->queue)) != NULL && now >= item->since + age_limit(pool)) {
        shed(pool, item, BUS_SHED_OLD, now);
    }
    arm_age(pool);
}

static void arm_age(struct bus_pool *pool)
{
    const struct bus_queue_item *item;
    uint64_t now, due;
    struct timeval wait;

    if (pool->conf->queue_timeout == LPM_NONE || pool->age_armed ||
        !(item = bus_queue_oldest(&pool->queue))) {
        return;
    }
    now = clock_now();
    due = item->since + age_limit(pool);
    wait = clock_timeval(due > now ? due - now : 0);
    pool->age_armed = event_add(&pool->age, &wait) == 0;
}

void bus_pool_queue_init(struct bus_pool *pool)
{
    bus_queue_init(&pool->queue, &pool->bus->queued);
    siphash_new_key(pool->share.key);
    event_assign(&pool->age, pool->bus->base, -1, 0, on_age, pool);
}

void bus_pool_queue_fini(struct bus_pool *pool)
{
    event_del(&pool->age);
}

/* -- Coming in ---------------------------------------------------------------------------------------- */

static uint64_t bound_of(int64_t limit)
{
    return limit == LPM_NONE ? BUS_ADMIT_UNBOUNDED : (uint64_t)limit;
}

static struct bus_admit_bound count_bound(const struct bus_queue_sum *sum, enum bus_queue_level level,
                                          int64_t limit)
{
    return (struct bus_admit_bound){bus_queue_count_from(sum, level) + 1, sum->levels[level].count + 1,
                                    bound_of(limit)};
}

static struct bus_admit_bound bytes_bound(const struct bus_queue_sum *sum,
                                          const struct bus_pool_newcomer *newcomer, int64_t limit)
{
    return (struct bus_admit_bound){bus_queue_bytes_from(sum, newcomer->level) + newcomer->bytes,
                                    sum->levels[newcomer->level].bytes + newcomer->bytes, bound_of(limit)};
}

/* How long it should wait, and take then, while others wait. */
static void expect(const struct bus_pool *pool, enum bus_queue_level level, struct bus_admit *facts)
{
    struct bus_admit_line line = {.gap = pool->drain.gap,
                                  .level_gap = pool->level_drains[level].gap,
                                  .ahead = bus_queue_count_from(&pool->queue.sum, level),
                                  .level = pool->queue.sum.levels[level].count,
                                  .one_in = bus_queue_one_in[level]};

    if (pool->left.count > 0) {
        facts->wait = bus_admit_wait(&line);
        facts->service =
            pool->dispatch.in_flight * line.gap; /* all that are in workers leave at that rate, too */
    }
}

/* Nothing was left waiting anywhere, and what came since then is little. */
static bool is_easy(const struct bus_pool *pool, size_t bytes)
{
    const struct bus *bus = pool->bus;

    return pool->left.count == 0 && bus->left.count == 0 &&
           pool->queue.sum.bytes + bytes <= bound_of(pool->conf->queue_bytes) / 2 &&
           bus->queued.bytes + bytes <= bound_of(bus->start->core->queue_total_bytes) / 2;
}

static bool fits(const struct bus_queue_sum *left, int64_t limit, const struct bus_queue_sum *now,
                 uint64_t bytes, int64_t limit_bytes)
{
    return left->count < bound_of(limit) && now->bytes + bytes <= bound_of(limit_bytes);
}

/* It may wait for ever, is of nobody, and with all that waits, whatever its priority, is within the bounds. */
static bool is_patient(const struct bus_pool *pool, const struct bus_pool_newcomer *newcomer)
{
    const struct bus *bus = pool->bus;
    const struct conf_core *core = bus->start->core;

    return pool->conf->queue_timeout == LPM_NONE && newcomer->deadline == 0 && !newcomer->client.known &&
           fits(&pool->left, pool->conf->queue_limit, &pool->queue.sum, newcomer->bytes,
                pool->conf->queue_bytes) &&
           fits(&bus->left, core->queue_total_limit, &bus->queued, newcomer->bytes, core->queue_total_bytes);
}

int bus_pool_admit(struct bus_pool *pool, const struct bus_pool_newcomer *newcomer, uint64_t now)
{
    const struct bus *bus = pool->bus;
    const struct conf_core *core = bus->start->core;
    enum bus_queue_level level = newcomer->level;
    enum bus_shed why;

    if (pool->degraded && pool->alive == 0) {
        return LPM_ENOWORKER;
    }
    if (is_easy(pool, newcomer->bytes) || is_patient(pool, newcomer)) {
        return 0;
    }
    /* Of the number, what has come in this turn does not count: it may find a worker at the turn's end, which refuses what is
     * too much then. */
    struct bus_admit facts = {
        .bounds = {count_bound(&pool->left, level, pool->conf->queue_limit),
                   bytes_bound(&pool->queue.sum, newcomer, pool->conf->queue_bytes),
                   count_bound(&bus->left, level, core->queue_total_limit),
                   bytes_bound(&bus->queued, newcomer, core->queue_total_bytes)},
        .in_queue = pool->conf->queue_timeout == LPM_NONE ? BUS_ADMIT_UNBOUNDED : age_limit(pool),
        .in_all = newcomer->deadline == 0 ? BUS_ADMIT_UNBOUNDED : newcomer->deadline - now,
        .own = bus_share_count(&pool->share, newcomer->client),
        .queued = pool->share.count,
        .clients = pool->share.clients};
    expect(pool, level, &facts);
    why = bus_admit_decide(&facts);
    if (why == BUS_SHED_NONE) {
        return 0;
    }
    count_shed(pool, why, now);
    return LPM_ESHED;
}

void bus_pool_push(struct bus_pool *pool, struct bus_request *req)
{
    req->state = BUS_REQUEST_QUEUED;
    req->item.since = req->created_at;
    req->item.bytes = req->headers_len + req->data_len;
    bus_queue_append(&pool->queue, &req->item);
    bus_share_add(&pool->share, req->client);
    arm_age(pool);
}

void bus_pool_push_back(struct bus_pool *pool, struct bus_request *req)
{
    req->state = BUS_REQUEST_QUEUED;
    req->item.since = clock_now();
    bus_queue_return(&pool->queue, &req->item);
    bus_share_add(&pool->share, req->client);
    arm_age(pool);
}

/* -- Leaving ------------------------------------------------------------------------------------------ */

void bus_pool_remove(struct bus_pool *pool, struct bus_request *req)
{
    bus_queue_remove(&pool->queue, &req->item);
    bus_share_remove(&pool->share, req->client);
}

void bus_pool_sent(struct bus_pool *pool, struct bus_request *req)
{
    uint64_t waited = req->sent_at - req->item.since;

    bus_queue_sent(&pool->queue, &req->item);
    bus_share_remove(&pool->share, req->client);
    bus_drain_left(&pool->drain, req->sent_at);
    bus_drain_left(&pool->level_drains[req->item.level], req->sent_at);
    pool->wait_average = pool->wait_average - pool->wait_average / WAIT_WEIGHT + waited / WAIT_WEIGHT;
    pool->wait_at = req->sent_at;
}

static void note_drains(struct bus_pool *pool)
{
    uint64_t now = clock_now();

    bus_drain_waits(&pool->drain, now, pool->queue.sum.count > 0);
    for (int level = 0; level < BUS_QUEUE_LEVELS; level++) {
        bus_drain_waits(&pool->level_drains[level], now, pool->queue.sum.levels[level].count > 0);
    }
}

/* Who is to go, for the pool has too much; NULL: nobody. */
static struct bus_queue_item *excess(const struct bus_pool *pool)
{
    const struct conf_pool *conf = pool->conf;
    struct bus_queue_item *item = NULL;

    for (int level = 0; level < BUS_QUEUE_LEVELS && !item; level++) {
        if (bus_queue_is_over(&pool->queue.sum, (enum bus_queue_level)level, bound_of(conf->queue_limit),
                              bound_of(conf->queue_bytes))) {
            item = bus_queue_last(&pool->queue, (enum bus_queue_level)level);
        }
    }
    return item;
}

void bus_pool_bound(struct bus_pool *pool)
{
    struct bus_queue_item *item;

    if (pool->queue.sum.count == 0 && pool->left.count == 0 && pool->drain.since == 0) {
        return;
    }
    note_drains(pool);
    pool->left = pool->queue.sum; /* what callbacks enqueue is refused at once, or this would have no end */
    while ((item = excess(pool)) != NULL) {
        shed(pool, item, BUS_SHED_FULL, clock_now());
    }
    pool->left = pool->queue.sum;
}

/* The last that came of that priority, in any pool; NULL: there is none. */
static struct bus_queue_item *last_of_all(const struct bus *bus, enum bus_queue_level level)
{
    struct bus_queue_item *last = NULL;

    for (size_t i = 0; i < bus->pool_count; i++) {
        struct bus_queue_item *item = bus_queue_last(&bus->pools[i].queue, level);
        if (item && (!last || item->since > last->since)) {
            last = item;
        }
    }
    return last;
}

/* Who is to go, for all pools together have too much; NULL: nobody. */
static struct bus_queue_item *excess_of_all(const struct bus *bus)
{
    const struct conf_core *core = bus->start->core;
    struct bus_queue_item *item = NULL;

    for (int level = 0; level < BUS_QUEUE_LEVELS && !item; level++) {
        if (bus_queue_is_over(&bus->queued, (enum bus_queue_level)level, bound_of(core->queue_total_limit),
                              bound_of(core->queue_total_bytes))) {
            item = last_of_all(bus, (enum bus_queue_level)level);
        }
    }
    return item;
}

void bus_pool_bound_all(struct bus *bus)
{
    struct bus_queue_item *item;

    if (bus->queued.count == 0 && bus->left.count == 0) {
        return;
    }
    bus->left = bus->queued;
    while ((item = excess_of_all(bus)) != NULL) {
        struct bus_pool *pool = request_of(item)->handler->pool;
        shed(pool, item, BUS_SHED_FULL, clock_now());
        pool->left = pool->queue.sum;
    }
    bus->left = bus->queued;
}

void bus_pool_refuse_all(struct bus_pool *pool, int error, const char *text)
{
    struct bus_queue_item *item;

    while ((item = bus_queue_next(&pool->queue)) != NULL) {
        struct bus_request *req = request_of(item);
        bus_pool_remove(pool, req);
        bus_request_finish(pool->bus, req, error, text, NULL, false);
    }
}

/* -- What is told of it ------------------------------------------------------------------------------- */

uint64_t bus_pool_queue_wait(const struct bus_pool *pool)
{
    const struct bus_queue_item *oldest = bus_queue_oldest(&pool->queue);
    uint64_t now = clock_now();
    uint64_t average = now - pool->wait_at < WAIT_KNOWN || oldest ? pool->wait_average : 0;
    uint64_t age = oldest ? now - oldest->since : 0;

    return age > average ? age : average;
}

int64_t bus_pool_retry_after(const struct bus_pool *pool)
{
    uint64_t now = clock_now(), ms, gap = pool->drain.gap;

    if (pool->degraded && pool->alive == 0) {
        ms = pool->degraded > now ? (pool->degraded - now) / CLOCK_NS_PER_MS : 0;
    } else if (gap == 0) {
        ms = RETRY_AFTER_UNKNOWN_MS;
    } else {
        ms = pool->queue.sum.count * gap / CLOCK_NS_PER_MS;
    }
    return ms < 1 ? 1 : ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : (int64_t)ms;
}
