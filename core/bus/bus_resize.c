/*
 * The choice of places. Runs in the bus; pure.
 */
#include "bus/bus_resize.h"

static bool is_wanted(const struct bus_resize_place *place)
{
    return !place->given_up && !place->replaced;
}

size_t bus_resize_count(const struct bus_resize_place *places, size_t count)
{
    size_t wanted = 0;

    for (size_t i = 0; i < count; i++) {
        wanted += is_wanted(&places[i]);
    }
    return wanted;
}

/* What its end costs: nothing, a start, a worker. */
static int rank(const struct bus_resize_place *place)
{
    return place->empty ? 0 : place->up ? 2 : 1;
}

static bool goes_first(const struct bus_resize_place *a, const struct bus_resize_place *b)
{
    if (rank(a) != rank(b)) {
        return rank(a) < rank(b);
    }
    return !a->up || a->pressure >= b->pressure;
}

int bus_resize_victim(const struct bus_resize_place *places, size_t count)
{
    int victim = -1;

    for (size_t i = 0; i < count; i++) {
        if (is_wanted(&places[i]) && (victim < 0 || goes_first(&places[i], &places[victim]))) {
            victim = (int)i;
        }
    }
    return victim;
}

int bus_resize_vacancy(const struct bus_resize_place *places, size_t count, size_t max)
{
    int leaving = -1;

    for (size_t i = 0; i < count; i++) {
        if (places[i].given_up && places[i].empty) {
            return (int)i;
        }
        if (places[i].given_up && leaving < 0) {
            leaving = (int)i;
        }
    }
    return count < max ? (int)count : leaving;
}
