/*
 * The driver of bus_scale. Runs in the bus. Four looks a second at the boards of the workers, in pools with a range only; the
 * memory is read when another worker is wanted. What cannot be read sets no bound.
 */
#include "bus/bus_scaler.h"

#include "base/clock.h"
#include "bus/bus_rule.h"
#include "bus/bus_worker.h"

/* What a worker takes besides its own memory: its channel, and what it shares with the bus. */
#define WORKER_OVERHEAD (UINT64_C(1) << 20)

static struct bus_scale_bounds bounds_of(const struct bus_pool *pool)
{
    return (struct bus_scale_bounds){pool->conf->count_min, pool->conf->count_max,
                                     (uint64_t)pool->conf->idle_timeout * CLOCK_NS_PER_MS};
}

/* Has it as much to do as it can, or is it of no use? */
static bool is_busy(const struct bus_worker *w)
{
    const struct bus_load *load = bus_worker_load(w);

    return w->busy || w->blocked || load->failing || channel_running(w->channel) != 0 ||
           load->unstarted > 0 || load->in_flight >= load->concurrency;
}

static bool counts(const struct bus_worker *w)
{
    return w->state == BUS_WORKER_SERVING && !w->removed;
}

static void see_workers(const struct bus_pool *pool, struct bus_scale_view *view)
{
    uint64_t service = 0;
    unsigned known = 0;

    for (size_t i = 0; i < pool->places; i++) {
        const struct bus_worker *w = &pool->workers[i];
        if (counts(w)) {
            view->serving++;
            view->busy += is_busy(w);
            service += bus_worker_load(w)->service;
            known += bus_worker_load(w)->service != 0;
        }
    }
    view->service = known > 0 ? service / known : 0;
}

/* Returns what a worker of the pool takes: as much as the largest. `*missing`: how much all of them will take beyond what they
 * have now, those that only start, too. */
static uint64_t memory_of(const struct bus_pool *pool, uint64_t *missing)
{
    uint64_t most = 0, all = 0, wanted;

    for (size_t i = 0; i < pool->places; i++) {
        const struct bus_worker *w = &pool->workers[i];
        if (counts(w)) {
            uint64_t bytes = w->growth.bytes + WORKER_OVERHEAD;
            all += bytes;
            most = bytes > most ? bytes : most;
        }
    }
    wanted = most * pool->target;
    *missing = wanted > all ? wanted - all : 0;
    return most;
}

static void see_memory(const struct bus_pool *pool, struct bus_scale_view *view)
{
    uint64_t missing;

    for (size_t i = 0; i < pool->bus->pool_count; i++) {
        memory_of(&pool->bus->pools[i], &missing);
        view->still_taken += missing;
    }
    view->memory = memory_of(pool, &missing);
    view->room = os_memory_room(&pool->bus->memory_paths);
}

static void see(const struct bus_pool *pool, struct bus_scale_view *view)
{
    *view = (struct bus_scale_view){.now = clock_now(),
                                    .target = pool->target,
                                    .wait = bus_pool_queue_wait(pool),
                                    .squeeze = pool->bus->squeeze};
    see_workers(pool, view);
    if (pool->scale.waits_since != 0) {
        see_memory(pool, view);
    }
}

/* Once for each reason and size. */
static void tell_why_not(struct bus_pool *pool, enum bus_scale_reason reason)
{
    if ((pool->scale_told & 1u << reason) == 0) {
        log_write(pool->bus->log, reason == BUS_SCALE_MOST ? LPM_LOG_NOTICE : LPM_LOG_WARN,
                  "pool %s stays at %u workers: %s", pool->conf->name, pool->target, pool->scale_why);
    }
    pool->scale_told |= 1u << reason;
}

static void look_at(struct bus_pool *pool)
{
    struct bus_scale_bounds bounds = bounds_of(pool);
    enum bus_scale_reason reason;
    struct bus_scale_view view;
    unsigned target;

    see(pool, &view);
    target = bus_scale_look(&pool->scale, &bounds, &view, &reason);
    if (reason == BUS_SCALE_STAYS) {
        return;
    }
    bus_scale_text(reason, &bounds, &view, pool->scale_why, sizeof(pool->scale_why));
    pool->scale_at = view.now;
    if (target != view.target) {
        pool->scale_told = 0;
        bus_rule_scale(pool, target, pool->scale_why);
    } else {
        tell_why_not(pool, reason);
    }
}

void bus_scaler_look(struct bus *bus)
{
    for (size_t i = 0; i < bus->pool_count; i++) {
        struct bus_pool *pool = &bus->pools[i];
        if (conf_core_is_scaled(pool->conf) && !pool->scale_pinned && pool->degraded == 0 &&
            bus->phase == POLICY_SERVING && !bus->over) {
            look_at(pool);
        }
    }
}

void bus_scaler_pin(struct bus_pool *pool)
{
    if (!conf_core_is_scaled(pool->conf)) {
        return;
    }
    pool->scale_pinned = true;
    snprintf(pool->scale_why, sizeof(pool->scale_why), "it was asked for");
    pool->scale_at = clock_now();
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    bus_scaler_look(arg);
}

void bus_scaler_init(struct bus *bus)
{
    struct timeval wait = clock_timeval(BUS_SCALE_LOOK_NS);
    bool any = false;

    event_assign(&bus->scale_timer, bus->base, -1, EV_PERSIST, on_time, bus);
    for (size_t i = 0; i < bus->pool_count; i++) {
        any = any || conf_core_is_scaled(bus->pools[i].conf);
    }
    if (any) {
        event_add(&bus->scale_timer, &wait);
    }
}

void bus_scaler_fini(struct bus *bus)
{
    if (event_initialized(&bus->scale_timer)) {
        event_del(&bus->scale_timer);
    }
}
