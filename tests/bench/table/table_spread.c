/*
 * Median, least and most of several runs. Pure. A ratio is taken within each run, so that what slows down the machine for a
 * while slows down both sides of it.
 */
#include "table.h"

#include <stdlib.h>

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct spread spread_of(double *list, size_t count)
{
    if (count == 0) {
        return (struct spread){0};
    }
    qsort(list, count, sizeof(*list), by_size);
    return (struct spread){(list[(count - 1) / 2] + list[count / 2]) / 2, list[0], list[count - 1], count};
}

struct spread table_spread(const struct series *series)
{
    double list[TABLE_RUNS_MAX];
    size_t count = 0;

    for (size_t i = 0; series && i < TABLE_RUNS_MAX; i++) {
        if (series->present[i]) {
            list[count++] = series->values[i];
        }
    }
    return spread_of(list, count);
}

struct spread table_ratio(const struct series *ours, const struct series *theirs)
{
    double list[TABLE_RUNS_MAX];
    size_t count = 0;

    for (size_t i = 0; ours && theirs && i < TABLE_RUNS_MAX; i++) {
        if (ours->present[i] && theirs->present[i] && theirs->values[i] > 0) {
            list[count++] = ours->values[i] / theirs->values[i];
        }
    }
    return spread_of(list, count);
}
