/*
 * The table for people: of each measurement, who reached what, and the first one's ratio to each of the others. Then what is
 * held to a goal.
 */
#include "table.h"

#include <string.h>

/* Three digits, and no fraction of what is large. */
static const char *number(double value, char room[32])
{
    snprintf(room, 32, value >= 100 || value <= -100 ? "%.0f" : "%.3g", value);
    return room;
}

static void print_spread(const struct spread *s)
{
    char median[32], range[80] = "", min[32], max[32];

    if (s->count > 1) {
        snprintf(range, sizeof(range), "(%s .. %s)", number(s->min, min), number(s->max, max));
    }
    printf(" %12s %-26s", number(s->median, median), range);
}

static bool together(const struct series *a, const struct series *b)
{
    return strcmp(a->part, b->part) == 0 && strcmp(a->figure, b->figure) == 0 &&
           strcmp(a->unit, b->unit) == 0;
}

/* The first series of the measurement that `s` belongs to. */
static const struct series *first_of(const struct table *table, const struct series *s)
{
    const struct series *first = table->series;

    while (!together(first, s)) {
        first++;
    }
    return first;
}

static void print_measurement(const struct table *table, const struct series *first)
{
    const struct series *end = table->series + table->series_count;
    bool titled = false;

    for (const struct series *s = first; s < end; s++) {
        struct spread spread = table_spread(s), ratio = table_ratio(first, s);
        if (!together(first, s)) {
            continue;
        }
        printf("%-36s %-18s %-20s", titled ? "" : first->figure, titled ? "" : first->unit, s->who);
        print_spread(&spread);
        if (s != first && ratio.count > 0) {
            printf(" %s / it %.2f", first->who, ratio.median);
        }
        putchar('\n');
        titled = true;
    }
}

void table_print(const struct table *table)
{
    const char *part = "";

    for (size_t i = 0; i < table->series_count; i++) {
        const struct series *s = &table->series[i];
        if (strcmp(part, s->part) != 0) {
            part = s->part;
            printf("\n== %s: median (least .. most) of the runs\n", part);
        }
        if (first_of(table, s) == s) {
            print_measurement(table, s);
        }
    }
    for (size_t i = 0; i < table->absence_count; i++) {
        printf("%s%s: %s not available: %s\n", i ? "" : "\n", table->absences[i].part, table->absences[i].who,
               table->absences[i].why);
    }
}

static bool reaches(const struct goal *goal, double ratio, double bound)
{
    return goal->less ? ratio <= bound : ratio >= bound;
}

static const char *verdict(const struct goal *goal, const struct spread *ratio)
{
    return ratio->count == 0                           ? "not measured"
           : reaches(goal, ratio->median, goal->aim)   ? "reaches the aim"
           : reaches(goal, ratio->median, goal->least) ? "enough"
                                                       : "FALLS SHORT";
}

void table_print_goals(const struct table *table)
{
    printf("\n== what it must show: ratios within each run\n%-42s %9s %6s %12s\n", "", "at least", "aim",
           "measured");
    for (size_t i = 0; i < goal_count; i++) {
        const struct goal *goal = &goals[i];
        struct spread ratio = table_ratio(table_find(table, &goal->ours), table_find(table, &goal->theirs));
        printf("%-42s %s %7.2f %6.2f", goal->name, goal->less ? "<" : ">", goal->least, goal->aim);
        if (ratio.count > 0) {
            print_spread(&ratio);
        }
        printf(" %s\n", verdict(goal, &ratio));
    }
}
