/*
 * Figures of all runs, and what they are held to.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_RUNS_MAX 32u

/* What one server or way reached in one measurement, run by run. */
struct series {
    char *part, *figure, *unit, *who;
    double values[TABLE_RUNS_MAX];
    bool present[TABLE_RUNS_MAX];
};

/* A peer that is not here. */
struct absence {
    char *part, *who, *why;
};

struct table {
    struct series *series;
    size_t series_count;
    struct absence *absences;
    size_t absence_count;
};

struct spread {
    double median, min, max;
    size_t count; /* 0: nothing was measured */
};

/* Whose figure: as struct series. */
struct subject {
    const char *part, *figure, *unit, *who;
};

/* That ours / theirs, run by run, is at least `least`, or at most if `less` is better; `aim` is what it should be. */
struct goal {
    const char *name;
    struct subject ours, theirs;
    bool less;
    double least, aim;
};

extern const struct goal goals[];
extern const size_t goal_count;

/* Reads lines {"part", "run", "figure", "who", "value", "unit"} and {"part", "run", "who", "missing"}. Ends the program
 * when a line is neither. */
void table_read(struct table *table, FILE *file);
void table_free(struct table *table);

/* NULL: it was not measured. */
const struct series *table_find(const struct table *table, const struct subject *subject);

struct spread table_spread(const struct series *series);

/* Of ours / theirs in the runs that have both. Either may be NULL. */
struct spread table_ratio(const struct series *ours, const struct series *theirs);

void table_print(const struct table *table);

void table_print_goals(const struct table *table);

/* All of it as JSON. Returns 0, or -1 when it cannot be written. */
int table_write(const struct table *table, const char *path, const char *machine, const char *date);

#endif
