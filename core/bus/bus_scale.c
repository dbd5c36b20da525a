/*
 * The rule of a pool that scales itself. Runs in the bus; pure.
 */
#include "bus/bus_scale.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"

/* The wait that asks for more workers: a time of service, within these. */
#define WAIT_MIN (10 * CLOCK_NS_PER_MS)
#define WAIT_MAX CLOCK_NS_PER_S

/* No sooner than the second look that sees it. */
#define WAIT_FOR (BUS_SCALE_LOOK_NS / 2)

/* How many of those that there are come at once: one for each so many. */
#define UP_SHARE 4

/* While memory is short: how long one must be spare, or the last step be over. */
#define SHORT_FOR (2 * CLOCK_NS_PER_S)

/* s: what was seen so long ago counts a third. */
#define BUSY_MEMORY 1.0

static void average_busy(struct bus_scale *scale, const struct bus_scale_view *view)
{
    double seconds = (double)(view->now - scale->looked_at) / (double)CLOCK_NS_PER_S;
    double weight = scale->looked_at == 0 ? 1 : seconds / (seconds + BUSY_MEMORY);

    scale->busy += ((double)view->busy - scale->busy) * weight;
    scale->looked_at = view->now;
}

static uint64_t mark_of(const struct bus_scale_view *view)
{
    return view->service < WAIT_MIN ? WAIT_MIN : view->service > WAIT_MAX ? WAIT_MAX : view->service;
}

/* Could the pool do with one less, and have the square root of `busy` more than that? */
static bool one_is_spare(const struct bus_scale *scale, const struct bus_scale_bounds *bounds,
                         const struct bus_scale_view *view)
{
    double beyond = (double)view->target - 1 - scale->busy;

    return view->target > bounds->min && view->wait <= mark_of(view) / 2 && beyond >= 0 &&
           beyond * beyond >= scale->busy;
}

/* Nobody is free, and all that should be there are. */
static bool is_too_small(const struct bus_scale_view *view)
{
    return view->wait > mark_of(view) && view->serving >= view->target && view->busy >= view->serving;
}

static void note(uint64_t *since, bool is_so, uint64_t now)
{
    *since = !is_so ? 0 : *since != 0 ? *since : now;
}

static bool lasts(uint64_t since, uint64_t now, uint64_t ns)
{
    return since != 0 && now - since >= ns;
}

/* How many more there is memory for. */
static uint64_t room_for(const struct bus_scale_view *view)
{
    uint64_t left = view->room > view->still_taken ? view->room - view->still_taken : 0;

    return view->room == UINT64_MAX || view->memory == 0 ? UINT64_MAX : left / view->memory;
}

static unsigned up(const struct bus_scale_bounds *bounds, const struct bus_scale_view *view,
                   enum bus_scale_reason *reason)
{
    uint64_t room = room_for(view), step = (view->target + UP_SHARE - 1) / UP_SHARE;

    *reason = view->target >= bounds->max ? BUS_SCALE_MOST
              : view->squeeze > 0         ? BUS_SCALE_SQUEEZED
              : room == 0                 ? BUS_SCALE_NO_ROOM
                                          : BUS_SCALE_WAIT;
    if (*reason != BUS_SCALE_WAIT) {
        return view->target;
    }
    step = step < room ? step : room;
    return step < bounds->max - view->target ? view->target + (unsigned)step : bounds->max;
}

static enum bus_scale_reason why_down(const struct bus_scale *scale, const struct bus_scale_bounds *bounds,
                                      const struct bus_scale_view *view)
{
    bool stepped = scale->changed_at != 0 && view->now - scale->changed_at < SHORT_FOR;

    if (view->squeeze > 1 && view->target > bounds->min && !stepped) {
        return BUS_SCALE_SHORT;
    }
    if (view->squeeze > 0 && lasts(scale->spare_since, view->now, SHORT_FOR)) {
        return BUS_SCALE_SHORT;
    }
    return lasts(scale->spare_since, view->now, bounds->idle) ? BUS_SCALE_IDLE : BUS_SCALE_STAYS;
}

unsigned bus_scale_look(struct bus_scale *scale, const struct bus_scale_bounds *bounds,
                        const struct bus_scale_view *view, enum bus_scale_reason *reason)
{
    unsigned target = view->target;

    average_busy(scale, view);
    note(&scale->waits_since, is_too_small(view), view->now);
    note(&scale->spare_since, one_is_spare(scale, bounds, view), view->now);
    *reason = why_down(scale, bounds, view);
    if (*reason != BUS_SCALE_STAYS) {
        target--;
    } else if (lasts(scale->waits_since, view->now, WAIT_FOR)) {
        target = up(bounds, view, reason);
    }
    if (target != view->target) {
        scale->waits_since = scale->spare_since = 0;
        scale->changed_at = view->now;
    }
    return target;
}

const char *bus_scale_text(enum bus_scale_reason reason, const struct bus_scale_bounds *bounds,
                           const struct bus_scale_view *view, char *room, size_t size)
{
    char wait[64];

    snprintf(wait, sizeof(wait), "requests wait %llu ms for a worker",
             (unsigned long long)(view->wait / CLOCK_NS_PER_MS));
    switch (reason) {
    case BUS_SCALE_STAYS:
        snprintf(room, size, "nothing has asked for a change");
        break;
    case BUS_SCALE_WAIT:
        snprintf(room, size, "%s", wait);
        break;
    case BUS_SCALE_IDLE:
        snprintf(room, size, "%g s long one less would have done", (double)bounds->idle / CLOCK_NS_PER_S);
        break;
    case BUS_SCALE_SHORT:
        snprintf(room, size, "memory is short");
        break;
    case BUS_SCALE_MOST:
        snprintf(room, size, "%s, and it has the most that it may have", wait);
        break;
    case BUS_SCALE_NO_ROOM:
        snprintf(room, size, "%s, but another takes %llu MiB of memory, and %llu MiB are left", wait,
                 (unsigned long long)(view->memory >> 20),
                 (unsigned long long)((view->room > view->still_taken ? view->room - view->still_taken : 0) >>
                                      20));
        break;
    case BUS_SCALE_SQUEEZED:
        snprintf(room, size, "%s, but memory is short", wait);
        break;
    }
    return room;
}
