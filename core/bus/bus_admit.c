/*
 * May one more wait? Runs in the bus; pure.
 */
#include "bus/bus_admit.h"

#include <stdbool.h>

static bool is_over(struct bus_admit_bound bound)
{
    return bound.used > bound.limit;
}

static bool is_half_used(struct bus_admit_bound bound)
{
    return bound.used > bound.limit / 2;
}

static bool has_too_much(const struct bus_admit *facts)
{
    return facts->own > 0 && facts->own * (facts->clients + 1) >= 2 * facts->queued;
}

enum bus_shed bus_admit_decide(const struct bus_admit *facts)
{
    struct bus_admit_bound time = {facts->wait + facts->wait / 4, facts->patience};
    bool contended = is_half_used(time);

    for (size_t i = 0; i < sizeof(facts->bounds) / sizeof(facts->bounds[0]); i++) {
        if (is_over(facts->bounds[i])) {
            return BUS_SHED_FULL;
        }
        contended = contended || is_half_used(facts->bounds[i]);
    }
    if (is_over(time)) {
        return BUS_SHED_HOPELESS;
    }
    return contended && has_too_much(facts) ? BUS_SHED_UNFAIR : BUS_SHED_NONE;
}

uint64_t bus_admit_wait(const struct bus_admit_line *line)
{
    uint64_t ahead = (line->ahead + 1) * line->gap, level = (line->level + 1) * line->level_gap;

    if (line->gap == 0) {
        return 0;
    }
    return (ahead > level ? ahead : level) + line->in_flight * line->gap;
}
