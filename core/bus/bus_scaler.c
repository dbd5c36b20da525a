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

static void see_workers(const struct bus_pool *pool, struct bus_scale_view *view)
{
    uint64_t service = 0, sum = 0;
    unsigned known = 0;

    for (size_t i = 0; i < pool->places; i++) {
        const struct bus_worker *w = &pool->workers[i];
        if (w->state != BUS_WORKER_SERVING || w->removed) {
            continue;
        }
        view->serving++;
        view->busy += is_busy(w);
        service += bus_worker_load(w)->service;
        known += bus_worker_load(w)->service != 0;
        sum += w->growth.bytes + WORKER_OVERHEAD;
        if (view->memory < w->growth.bytes + WORKER_OVERHEAD) {
            view->memory = w->growth.bytes + WORKER_OVERHEAD;
        }
    }
    view->service = known > 0 ? service / known : 0;
    view->still_taken = view->memory * view->serving - sum;
}

static void see(const struct bus_pool *pool, struct bus_scale_view *view)
{
    *view = (struct bus_scale_view){.now = clock_now(),
                                    .target = pool->target,
                                    .wait = bus_pool_queue_wait(pool),
                                    .squeeze = pool->bus->squeeze,
                                    .room = UINT64_MAX};
    see_workers(pool, view);
    if (pool->scale.waits_since != 0) {
        view->room = os_memory_room(&pool->bus->memory_paths);
    }
}

/* Said once, until it is another one, or the pool has changed. */
static void tell_why_not(struct bus_pool *pool, enum bus_scale_reason reason)
{
    if (reason != BUS_SCALE_STAYS && reason != pool->scale_reason) {
        log_write(pool->bus->log, reason == BUS_SCALE_MOST ? LPM_LOG_NOTICE : LPM_LOG_WARN,
                  "pool %s stays at %u workers: %s", pool->conf->name, pool->target, pool->scale_why);
    }
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
        bus_rule_scale(pool, target, pool->scale_why);
    } else {
        tell_why_not(pool, reason);
    }
    pool->scale_reason = reason;
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
