/*
 * The memory of workers. Runs in the bus. A worker whose memory cannot be read keeps the pressure it had.
 *
 * A look is one pread() of /proc/PID/statm. It comes when half of the time to the limit should be over (bus_growth), at the
 * latest after a second: a worker that grows while it has no requests is seen, too. statm is cheap and not
 * exact (it counts what is shared with the master since the fork), so one that is over its limit is looked at once more, by
 * what the kernel counts page by page, before it is replaced.
 */
#include "bus/bus_memory.h"

#include "base/clock.h"
#include "bus/bus_worker.h"
#include "os/os_proc.h"

#define LOOK_EVERY        64
#define LOOK_EVERY_WAIT   (200 * CLOCK_NS_PER_MS)
#define LOOKS_OVER_LIMIT  2
#define LOOKS_UNCONFIRMED 3 /* when the kernel does not let us see more */

static int private_memory(const struct bus_worker *w, uint64_t *bytes)
{
    struct os_proc proc;
    int rc = w->statm >= 0 ? os_proc_read(w->statm, &proc) : LPM_EIO;

    if (rc == 0) {
        *bytes = proc.resident > proc.shared ? proc.resident - proc.shared : 0;
    }
    return rc;
}

/* 0: none. */
static uint64_t limit_of(const struct bus_pool *pool)
{
    return pool->conf->rss_limit == LPM_NONE ? 0 : (uint64_t)pool->conf->rss_limit;
}

static uint64_t beyond_baseline(const struct bus_worker *w, uint64_t bytes)
{
    return bytes > w->baseline ? bytes - w->baseline : 0;
}

/* -- When to look ------------------------------------------------------------------------------------- */

static void arm(struct bus_pool *pool, uint64_t due)
{
    uint64_t now = clock_now();
    struct timeval wait;

    if (pool->memory_due != 0 && pool->memory_due <= due) {
        return;
    }
    wait = clock_timeval(due > now ? due - now : 0);
    pool->memory_due = event_add(&pool->memory, &wait) == 0 ? due : 0;
}

/* One timer for all: what is due soon is done with what is due now. */
static void on_due(evutil_socket_t fd, short what, void *arg)
{
    struct bus_pool *pool = arg;
    uint64_t soon = clock_now() + BUS_GROWTH_LOOK_MIN / 2;

    (void)fd;
    (void)what;
    pool->memory_due = 0;
    for (size_t i = 0; i < pool->places; i++) {
        struct bus_worker *w = &pool->workers[i];
        if (w->state != BUS_WORKER_SERVING) {
            continue;
        }
        if (bus_growth_next_look(&w->growth, limit_of(pool)) <= soon) {
            bus_memory_look(w);
        } else {
            arm(pool, bus_growth_next_look(&w->growth, limit_of(pool)));
        }
    }
}

void bus_memory_init(struct bus_pool *pool)
{
    event_assign(&pool->memory, pool->bus->base, -1, 0, on_due, pool);
}

void bus_memory_fini(struct bus_pool *pool)
{
    event_del(&pool->memory);
}

/* -- What is seen ------------------------------------------------------------------------------------- */

/* Is it really its own? What cannot be seen is believed after one look more. */
static bool is_confirmed(const struct bus_worker *w, uint64_t *bytes)
{
    if (os_proc_private(w->pid, bytes) != 0) {
        return w->over_limit >= LOOKS_UNCONFIRMED;
    }
    return *bytes > limit_of(w->pool);
}

/* It leaves, one of the pool at a time, and the master replaces it. */
static void check_limit(struct bus_worker *w, uint64_t bytes)
{
    struct bus_pool *pool = w->pool;

    if (limit_of(pool) == 0 || bytes <= limit_of(pool)) {
        w->over_limit = 0;
        return;
    }
    w->over_limit++;
    if (w->over_limit >= LOOKS_OVER_LIMIT && w->state == BUS_WORKER_SERVING && !pool->retiring &&
        pool->bus->phase == POLICY_SERVING && is_confirmed(w, &bytes)) {
        log_write(pool->bus->log, LPM_LOG_NOTICE,
                  "worker %s (pid %d) has %llu bytes of its own, over the rss_limit of %lld: replacing it",
                  w->name, (int)w->pid, (unsigned long long)bytes, (long long)pool->conf->rss_limit);
        pool->retiring = w;
        bus_worker_leave(w);
    }
}

void bus_memory_begin(struct bus_worker *w)
{
    w->done = 0;
    w->over_limit = 0;
    w->baseline = 0;
    w->growth = (struct bus_growth){0, 0, 0};
    private_memory(w, &w->baseline);
    bus_growth_add(&w->growth, clock_now(), w->baseline);
    bus_worker_load(w)->pressure = 0;
    arm(w->pool, bus_growth_next_look(&w->growth, limit_of(w->pool)));
}

uint64_t bus_memory_pressure(const struct bus_worker *w)
{
    uint64_t bytes;

    /* Before it was ready there is nothing to compare with. */
    if (!w->was_ready_now || private_memory(w, &bytes) != 0) {
        return bus_worker_load(w)->pressure;
    }
    return beyond_baseline(w, bytes);
}

int64_t bus_memory_to_limit(const struct bus_worker *w)
{
    uint64_t ns = bus_growth_to_limit(&w->growth, limit_of(w->pool));
    return ns == BUS_GROWTH_NEVER ? -1 : (int64_t)(ns / CLOCK_NS_PER_MS);
}

void bus_memory_look(struct bus_worker *w)
{
    struct bus_load *load = bus_worker_load(w);
    uint64_t now = clock_now(), bytes;

    w->done = 0;
    if (private_memory(w, &bytes) != 0) {
        w->growth.at = now; /* the next look is due as after one that has seen no change */
    } else {
        bus_growth_add(&w->growth, now, bytes);
        load->pressure = beyond_baseline(w, bytes);
        load->seen_with = load->in_flight;
        load->hot = bus_load_is_hot(load->hot, bytes, limit_of(w->pool));
        bus_dispatch_update(&w->pool->dispatch, w->index);
        check_limit(w, bytes);
    }
    arm(w->pool, bus_growth_next_look(&w->growth, limit_of(w->pool)));
}

void bus_memory_count(struct bus_worker *w, unsigned answers)
{
    w->done += answers;
    if (w->done >= LOOK_EVERY) {
        w->done = 0;
        if (clock_now() >= w->growth.at + LOOK_EVERY_WAIT) {
            bus_memory_look(w);
        }
    }
}
