/*
 * May one more wait? Runs in the bus; pure.
 */
#include "bus/bus_admit.h"

#include <stdbool.h>

#include "bus/bus_queue.h"

static bool is_over(struct bus_admit_bound bound)
{
    return bound.used > bound.limit && bound.level > bound.limit / BUS_QUEUE_KEPT;
}

static bool has_too_much(const struct bus_admit *facts)
{
    return facts->own > 0 && facts->own * (facts->clients + 1) >= 2 * facts->queued;
}

/* With what it may be longer than by the measured rate. */
static uint64_t long_wait(const struct bus_admit *facts)
{
    return facts->wait + facts->wait / 4;
}

static bool is_hopeless(const struct bus_admit *facts)
{
    uint64_t wait = long_wait(facts);
    return facts->wait > 0 && (wait > facts->in_queue || wait + 3 * facts->service > facts->in_all);
}

static bool is_contended(const struct bus_admit *facts)
{
    uint64_t wait = long_wait(facts);
    bool contended = wait > facts->in_queue / 2 || wait > facts->in_all / 2;

    for (size_t i = 0; i < BUS_ADMIT_BOUNDS; i++) {
        contended = contended || facts->bounds[i].used > facts->bounds[i].limit / 2;
    }
    return contended;
}

enum bus_shed bus_admit_decide(const struct bus_admit *facts)
{
    for (size_t i = 0; i < BUS_ADMIT_BOUNDS; i++) {
        if (is_over(facts->bounds[i])) {
            return BUS_SHED_FULL;
        }
    }
    if (is_hopeless(facts)) {
        return BUS_SHED_HOPELESS;
    }
    return has_too_much(facts) && is_contended(facts) ? BUS_SHED_UNFAIR : BUS_SHED_NONE;
}

uint64_t bus_admit_wait(const struct bus_admit_line *line)
{
    uint64_t ahead = (line->ahead + 1) * line->gap, level = (line->level + 1) * line->level_gap;
    uint64_t promised = (line->level + 1) * line->one_in * line->gap;
    uint64_t measured = ahead > level ? ahead : level;

    return measured < promised ? measured : promised;
}
