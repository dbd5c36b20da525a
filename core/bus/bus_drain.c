/*
 * How fast a queue drains. Runs in the bus; pure.
 */
#include "bus/bus_drain.h"

void bus_drain_waits(struct bus_drain *drain, uint64_t now, bool waits)
{
    if (waits != (drain->since != 0)) {
        *drain = (struct bus_drain){.since = waits ? now : 0};
    }
}

void bus_drain_left(struct bus_drain *drain, uint64_t now)
{
    uint64_t span, gap;

    if (drain->since == 0) {
        return; /* it found a worker at once, which tells nothing */
    }
    drain->gone++;
    span = now - drain->since;
    if (span < BUS_DRAIN_SPAN || (drain->gone < BUS_DRAIN_GONE && span < BUS_DRAIN_SPAN_LONG)) {
        return;
    }
    gap = span / drain->gone;
    gap = gap < BUS_DRAIN_GAP_MAX ? gap : BUS_DRAIN_GAP_MAX;
    drain->gap = drain->gap ? drain->gap - drain->gap / 4 + gap / 4 : gap;
    drain->since = now;
    drain->gone = 0;
}
