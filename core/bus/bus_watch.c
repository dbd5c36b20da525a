/*
 * Workers that serve connections of their own. Runs in the bus. Kills one whose handler does not come back from a call that has a
 * time limit, as bus_timeout does for requests of the bus.
 */
#include "bus/bus_watch.h"

#include "base/clock.h"
#include "bus/bus_end.h"
#include "bus/bus_slow.h"

#define LOOK_NS (250 * CLOCK_NS_PER_MS)

static bool is_overdue(const struct bus_worker *w)
{
    uint64_t until = channel_call_until(w->channel);
    uint64_t patience = (uint64_t)w->pool->conf->kill_after * CLOCK_NS_PER_MS;
    uint64_t now = clock_now();

    return until != 0 && now > until && now - until >= patience;
}

/* True: it has connections, and is to be looked at again. */
static bool look(struct bus_worker *w)
{
    if (!w->channel || bus_worker_load(w)->sockets == 0) {
        return false;
    }
    if (is_overdue(w)) {
        log_write(
            w->pool->bus->log, LPM_LOG_ERROR,
            "worker %s (pid %d): a handler still runs for a connection of its own, %lld ms after its timeout",
            w->name, (int)w->pid, (long long)w->pool->conf->kill_after);
        bus_end_abort(w, "its handler does not come back");
        return false;
    }
    bus_slow_look(w);
    return true;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct bus *bus = arg;
    bool again = false;

    (void)fd;
    (void)what;
    for (size_t i = 0; i < bus->pool_count; i++) {
        for (size_t k = 0; k < bus->pools[i].places; k++) {
            again = look(&bus->pools[i].workers[k]) || again;
        }
    }
    if (again) {
        bus_watch_begin(bus);
    }
}

void bus_watch_begin(struct bus *bus)
{
    struct timeval wait = clock_timeval(LOOK_NS);

    if (!bus->watch) {
        bus->watch = evtimer_new(bus->base, on_timer, bus);
    }
    if (bus->watch && !event_pending(bus->watch, EV_TIMEOUT, NULL)) {
        event_add(bus->watch, &wait);
    }
}

void bus_watch_fini(struct bus *bus)
{
    if (bus->watch) {
        event_free(bus->watch);
        bus->watch = NULL;
    }
}
