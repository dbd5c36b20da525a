/*
 * How workers are. Runs in the bus; what a worker says of itself is passed on as it is, unless it cannot be.
 */
#include "bus/bus_health.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bus/bus_memory.h"
#include "bus/bus_retry.h"
#include "os/os_proc.h"

static int32_t state_of(const struct bus_worker *w)
{
    switch (w->state) {
    case BUS_WORKER_STARTING:
        return LPM_WORKER_STARTING;
    case BUS_WORKER_SERVING:
        if (w->sent_home) {
            return LPM_WORKER_LEAVING;
        }
        return w->busy ? LPM_WORKER_BUSY : LPM_WORKER_READY;
    case BUS_WORKER_LEAVING:
        return LPM_WORKER_LEAVING;
    default:
        return LPM_WORKER_ABSENT;
    }
}

/* How many calls its board shows; a worker may write anything there, but cannot have had more than one a nanosecond. */
static uint64_t calls_of(const struct bus_worker *w, uint64_t now)
{
    uint64_t calls = channel_calls(w->channel);
    return calls <= now - w->born ? calls : 0;
}

/* What a worker says of its heap: a number that a JSON reader can take, too. */
static uint64_t believable(uint64_t bytes)
{
    return bytes <= INT64_MAX ? bytes : 0;
}

void bus_health_fill(const struct bus_worker *w, lpm_health *health)
{
    const struct bus_load *load = bus_worker_load(w);
    struct os_proc proc = {0, 0};
    uint64_t now = clock_now();

    memset(health, 0, sizeof(*health));
    snprintf(health->pool, sizeof(health->pool), "%s", w->pool->conf->name);
    health->index = (uint32_t)w->index;
    health->state = state_of(w);
    health->to_limit = LPM_NONE;
    health->generation = w->pool->bus->start->generation;
    health->restarts = w->incarnation;
    if (w->state == BUS_WORKER_ABSENT) {
        return;
    }
    health->pid = w->pid;
    health->uptime = (now - w->born) / CLOCK_NS_PER_MS;
    health->requests = w->answered;
    health->in_flight = load->in_flight;
    health->started = load->in_flight;
    if (w->channel) {
        health->requests += calls_of(w, now);
        health->started -= bus_retry_unstarted(w->seq, channel_started(w->channel), load->in_flight);
    }
    health->sockets = load->sockets;
    health->pressure = bus_memory_pressure(w);
    health->growth = w->growth.rate;
    health->to_limit = bus_memory_to_limit(w);
    health->failures = (uint32_t)((uint64_t)load->failures * 100 / BUS_FAILURES_ALL);
    health->trims = w->trims;
    health->heap_total = believable(w->heap_total);
    health->heap_used = believable(w->heap_used);
    if (w->statm >= 0 && os_proc_read(w->statm, &proc) == 0) {
        health->rss = proc.resident;
    }
}

/* A place that was given up counts as long as its worker is there. */
static bool counts(const struct bus_worker *w)
{
    return !w->removed || w->state != BUS_WORKER_ABSENT;
}

static size_t supervisor_health(lpm_supervisor *s, lpm_health *list, size_t max, size_t size)
{
    struct bus *bus = s->bus;
    size_t count = 0;

    for (size_t i = 0; i < bus->pool_count; i++) {
        for (size_t k = 0; k < bus->pools[i].places; k++) {
            const struct bus_worker *w = &bus->pools[i].workers[k];
            lpm_health health;

            if (!counts(w)) {
                continue;
            }
            if (list && count < max) {
                bus_health_fill(w, &health);
                memcpy((char *)list + count * size, &health, size < sizeof(health) ? size : sizeof(health));
            }
            count++;
        }
    }
    return count;
}

void bus_health_host_init(lpm_host *host)
{
    host->supervisor_health = supervisor_health;
}
