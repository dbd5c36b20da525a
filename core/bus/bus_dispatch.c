/*
 * Dispatch. Runs in the bus; pure.
 */
#include "bus/bus_dispatch.h"

#include "base/clock.h"

uint32_t bus_dispatch_prefetch(uint64_t service)
{
    uint64_t fit;

    if (service == 0 || service >= CLOCK_NS_PER_MS) {
        return 0;
    }
    fit = CLOCK_NS_PER_MS / service;
    return fit < BUS_PREFETCH_MAX ? (uint32_t)fit : BUS_PREFETCH_MAX;
}

uint64_t bus_dispatch_average(uint64_t average, uint64_t service)
{
    if (average == 0) {
        return service > 0 ? service : 1;
    }
    average = average - average / 4 + service / 4;
    return average > 0 ? average : 1;
}

/* How many requests are before the next one in that worker. */
static uint32_t ahead(const struct bus_load *load)
{
    return load->unstarted + (load->running ? 1 : 0);
}

static bool may_have(const struct bus_load *load)
{
    if (!load->ready || load->in_flight >= load->concurrency) {
        return false;
    }
    return ahead(load) == 0 || load->unstarted < bus_dispatch_prefetch(load->service);
}

static bool is_hot(const struct bus_load *load)
{
    return load->limit > 0 && load->pressure >= load->limit / 5 * 4;
}

/* Negative: `a` is the better place. */
static int compare(const struct bus_load *a, const struct bus_load *b)
{
    if (is_hot(a) != is_hot(b)) {
        return is_hot(a) ? 1 : -1;
    }
    if ((a->in_flight == 0) != (b->in_flight == 0)) {
        return a->in_flight == 0 ? -1 : 1;
    }
    if (ahead(a) != ahead(b)) {
        return ahead(a) < ahead(b) ? -1 : 1;
    }
    if (a->pressure != b->pressure) {
        return a->pressure < b->pressure ? -1 : 1;
    }
    if (a->in_flight != b->in_flight) {
        return a->in_flight < b->in_flight ? -1 : 1;
    }
    return 0;
}

static bool is_better(const struct bus_load *a, const struct bus_load *b, bool socket)
{
    if (socket && a->sockets != b->sockets) {
        return a->sockets < b->sockets;
    }
    return compare(a, b) < 0;
}

int bus_dispatch_pick(const struct bus_load *loads, size_t count, size_t last, bool socket)
{
    int best = -1;

    for (size_t i = 0; i < count; i++) {
        size_t place = (last + 1 + i) % count;
        if (may_have(&loads[place]) && (best < 0 || is_better(&loads[place], &loads[best], socket))) {
            best = (int)place;
        }
    }
    return best;
}
