/*
 * The sweep. Runs in the bus. While a worker has requests, its channel is looked at every 50 ms for what no bell told of.
 * There is never anything; if there is, a line in the log counts it.
 */
#include "bus/bus_sweep.h"

#include "bus/bus_slow.h"

static const struct timeval pause = {0, 50000};

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct bus_worker *w = arg;

    (void)fd;
    (void)what;
    w->sweeping = false;
    bus_slow_look(w);
    if (bus_worker_load(w)->in_flight > 0 || bus_slow_watches(w)) {
        bus_sweep_begin(w);
    }
    if (channel_sweep(w->channel)) {
        log_write(w->pool->bus->log, LPM_LOG_WARN,
                  "worker %s (pid %d): no bell told of its message; that makes %lu", w->name, (int)w->pid,
                  ++w->bells_lost);
        bus_worker_hear(w);
    }
}

void bus_sweep_init(struct bus_worker *w)
{
    event_assign(&w->sweep, w->pool->bus->base, -1, 0, on_sweep, w);
}

void bus_sweep_begin(struct bus_worker *w)
{
    if (!w->sweeping) {
        w->sweeping = true;
        event_add(&w->sweep, &pause);
    }
}

void bus_sweep_end(struct bus_worker *w)
{
    w->sweeping = false;
    event_del(&w->sweep);
}
