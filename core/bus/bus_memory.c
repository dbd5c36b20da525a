/*
 * The memory of workers. Runs in the bus. A worker whose memory cannot be read keeps the pressure it had.
 */
#include "bus/bus_memory.h"

#include "bus/bus_worker.h"
#include "os/os_proc.h"

#define LOOK_EVERY 64

static int private_memory(const struct bus_worker *w, uint64_t *bytes)
{
    struct os_proc proc;
    int rc = w->statm >= 0 ? os_proc_read(w->statm, &proc) : LPM_EIO;

    if (rc == 0) {
        *bytes = proc.resident > proc.shared ? proc.resident - proc.shared : 0;
    }
    return rc;
}

void bus_memory_begin(struct bus_worker *w)
{
    w->done = 0;
    w->over_limit = 0;
    w->baseline = 0;
    private_memory(w, &w->baseline);
    bus_worker_load(w)->pressure = 0;
}

/* Over the limit on two looks: it leaves, one of the pool at a time, and the master replaces it. */
static void check_limit(struct bus_worker *w, uint64_t bytes)
{
    struct bus_pool *pool = w->pool;

    if (pool->conf->rss_limit == LPM_NONE || bytes <= (uint64_t)pool->conf->rss_limit) {
        w->over_limit = 0;
        return;
    }
    w->over_limit++;
    if (w->over_limit >= 2 && w->state == BUS_WORKER_SERVING && !pool->retiring &&
        pool->bus->phase == POLICY_SERVING) {
        log_write(pool->bus->log, LPM_LOG_NOTICE,
                  "worker %s (pid %d) has %llu bytes of its own, over the rss_limit of %lld: replacing it",
                  w->name, (int)w->pid, (unsigned long long)bytes, (long long)pool->conf->rss_limit);
        pool->retiring = w;
        bus_worker_leave(w);
    }
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

uint64_t bus_memory_pressure(const struct bus_worker *w)
{
    uint64_t bytes;

    /* Before it was ready there is nothing to compare with. */
    if (!w->was_ready_now || private_memory(w, &bytes) != 0) {
        return bus_worker_load(w)->pressure;
    }
    return beyond_baseline(w, bytes);
}

void bus_memory_look(struct bus_worker *w)
{
    uint64_t bytes;

    w->done = 0;
    if (private_memory(w, &bytes) == 0) {
        struct bus_load *load = bus_worker_load(w);
        load->pressure = beyond_baseline(w, bytes);
        load->seen_with = load->in_flight;
        load->hot = bus_load_is_hot(load->hot, bytes, limit_of(w->pool));
        bus_dispatch_update(&w->pool->dispatch, w->index);
        check_limit(w, bytes);
    }
}

void bus_memory_count(struct bus_worker *w)
{
    if (++w->done >= LOOK_EVERY) {
        bus_memory_look(w);
    }
}
