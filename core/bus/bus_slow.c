/*
 * Slow handlers. Runs in the bus. A run of a handler is told from the next one by what the board shows; how long it has run by when
 * that was seen first, so that it costs nothing where handlers are quick. The master sends the signal: it alone knows for
 * sure whose pid that is.
 */
#include "bus/bus_slow.h"

#include "base/clock.h"
#include "bus/bus_lifecycle.h"

/* From one stack in the log to the next, of all workers. */
#define PAUSE_NS CLOCK_NS_PER_S

bool bus_slow_watches(const struct bus_worker *w)
{
    return w->pool->conf->slow_request != LPM_NONE && channel_running(w->channel) != 0;
}

static void tell(struct bus_worker *w, uint64_t now)
{
    struct bus *bus = w->pool->bus;

    bus->slow_next = now + PAUSE_NS;
    w->slow.told = true;
    bus_lifecycle_tell_master(bus, CONTROL_WORKER_SHOW, w);
}

void bus_slow_look(struct bus_worker *w)
{
    int64_t limit = w->pool->conf->slow_request;
    uint32_t running = channel_running(w->channel);
    uint64_t calls = channel_calls(w->channel), now = clock_now();

    if (limit == LPM_NONE) {
        return;
    }
    if (running != w->slow.running || calls != w->slow.calls) {
        w->slow.running = running;
        w->slow.calls = calls;
        w->slow.since = now;
        w->slow.told = false;
    } else if (running != 0 && !w->slow.told && w->state != BUS_WORKER_STARTING &&
               now - w->slow.since >= (uint64_t)limit * CLOCK_NS_PER_MS && now >= w->pool->bus->slow_next) {
        tell(w, now);
    }
}
