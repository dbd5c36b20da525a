/*
 * The memory of workers. Runs in the bus. A worker whose memory cannot be read keeps the pressure it had.
 *
 * A look is one pread() of /proc/PID/statm. It comes when half of the time to the limit should be over (bus_growth), at the
 * latest after a second: a worker that grows while it has no requests is seen, too. statm is cheap and not
 * exact (it counts what is shared with the master since the fork), so one that is over its limit is looked at once more, by
 * what the kernel counts page by page, before it is replaced.
 */
#include "bus/bus_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bus/bus_succession.h"
#include "os/os_proc.h"

#define LOOK_EVERY        64
#define LOOK_EVERY_WAIT   (200 * CLOCK_NS_PER_MS)
#define LOOKS_OVER_LIMIT  2
#define LOOKS_UNCONFIRMED 3 /* when the kernel does not let us see more */
#define TRIM_WAIT         CLOCK_NS_PER_S

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
        if (w->state != BUS_WORKER_SERVING && w->state != BUS_WORKER_LEAVING) {
            continue;
        }
        if (w->look_due || bus_growth_next_look(&w->growth, limit_of(pool)) <= soon) {
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

/* Is it really its own, and how much? What cannot be seen is believed after one look more. */
static bool is_confirmed(struct bus_worker *w, uint64_t *bytes)
{
    uint64_t own;

    if (os_proc_private(w->pid, &own) != 0) {
        return w->over_limit >= LOOKS_UNCONFIRMED;
    }
    /* Also counted there, and no reason to go, is what only it has mapped of files: its code, if it is the pool's only worker. */
    w->foreign = *bytes > own ? *bytes - own : 0; /* so that it is not asked for again at once */
    *bytes -= w->foreign;
    return true;
}

static void check_limit(struct bus_worker *w, uint64_t bytes)
{
    uint64_t limit = limit_of(w->pool);
    enum bus_leave_level level = bus_leave_level(bytes > w->foreign ? bytes - w->foreign : 0, limit);

    if (level == BUS_LEAVE_BELOW) {
        w->over_limit = 0;
        return;
    }
    w->over_limit++;
    if (w->over_limit >= LOOKS_OVER_LIMIT && bus_succession_may(w, level) && is_confirmed(w, &bytes)) {
        bus_succession_over(w, bytes, limit);
    }
}

/* Once for each time that it becomes hot. */
static void trim(struct bus_worker *w, uint64_t now)
{
    struct frame frame = {.type = FRAME_TRIM};

    if (w->state == BUS_WORKER_SERVING && bus_worker_post(w, &frame, -1) == 0) {
        w->trimmed_at = now;
        w->trims++;
        w->pool->trims++;
    }
}

/* Lays its growth to those whose requests it has answered meanwhile; what shrinks because it trims is not theirs. */
static void attribute(struct bus_worker *w, uint64_t now, uint64_t bytes)
{
    struct bus_leak *leak = &w->pool->leak;
    uint64_t calls = w->channel ? channel_calls(w->channel) : w->calls_seen;

    if (!w->by_handler) {
        return;
    }
    w->by_handler[w->pool->handler_count] = (uint32_t)(calls - w->calls_seen);
    w->calls_seen = calls;
    if (w->trimmed_at != 0 && now < w->trimmed_at + TRIM_WAIT) {
        bus_leak_count(leak, w->by_handler);
    } else {
        bus_leak_add(leak, now, w->by_handler, (double)bytes - (double)w->growth.bytes);
    }
    memset(w->by_handler, 0, leak->count * sizeof(*w->by_handler));
}

static void begin_to_attribute(struct bus_worker *w)
{
    struct bus_leak *leak = &w->pool->leak;
    size_t count = w->pool->handler_count + 1;

    if (leak->count == 0 && bus_leak_init(leak, count) != 0) {
        bus_leak_fini(leak);
        return;
    }
    free(w->by_handler);
    w->by_handler = calloc(count, sizeof(*w->by_handler));
    w->calls_seen = 0;
}

void bus_memory_begin(struct bus_worker *w)
{
    w->done = w->over_limit = 0;
    w->look_due = false;
    w->baseline = w->foreign = w->trimmed_at = 0;
    w->trims = 0;
    w->growth = (struct bus_growth){.at = 0};
    private_memory(w, &w->baseline);
    bus_growth_add(&w->growth, clock_now(), w->baseline);
    bus_worker_load(w)->pressure = 0;
    begin_to_attribute(w);
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
    bool was_hot = load->hot;

    w->done = 0;
    w->look_due = false;
    if (private_memory(w, &bytes) != 0) {
        w->growth.at = now; /* the next look is due as after one that has seen no change */
    } else {
        attribute(w, now, bytes);
        bus_growth_add(&w->growth, now, bytes);
        load->pressure = beyond_baseline(w, bytes);
        load->seen_with = load->in_flight;
        load->hot = bus_load_is_hot(load->hot, bytes, limit_of(w->pool));
        bus_dispatch_update(&w->pool->dispatch, w->index);
        if (load->hot && !was_hot) {
            trim(w, now);
        }
        check_limit(w, bytes);
    }
    bus_succession_look(w);
    arm(w->pool, bus_growth_next_look(&w->growth, limit_of(w->pool)));
}

void bus_memory_count(struct bus_worker *w, size_t handler)
{
    if (w->by_handler) {
        w->by_handler[handler]++;
    }
    if (++w->done >= LOOK_EVERY) {
        w->done = 0;
        if (clock_now() >= w->growth.at + LOOK_EVERY_WAIT) {
            w->look_due = true; /* not from here: its message is being acted on, and a look may end it */
            arm(w->pool, clock_now());
        }
    }
}
