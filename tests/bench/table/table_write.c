/*
 * The same for programs: one object with the figures, each run's value in the order of the runs, and the goals.
 */
#include "table.h"

#include <jansson.h>

static json_t *spread_json(const struct spread *s)
{
    return s->count == 0 ? json_null()
                         : json_pack("{s:f, s:f, s:f}", "median", s->median, "min", s->min, "max", s->max);
}

static json_t *series_json(const struct series *s)
{
    struct spread spread = table_spread(s);
    json_t *runs = json_array();

    for (size_t i = 0; i < TABLE_RUNS_MAX; i++) {
        if (s->present[i]) {
            json_array_append_new(runs, json_real(s->values[i]));
        }
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "part", s->part, "figure", s->figure, "unit", s->unit,
                     "who", s->who, "spread", spread_json(&spread), "runs", runs);
}

static json_t *goal_json(const struct table *table, const struct goal *goal)
{
    struct spread ratio = table_ratio(table_find(table, &goal->ours), table_find(table, &goal->theirs));

    return json_pack("{s:s, s:s, s:f, s:f, s:o}", "name", goal->name, "better", goal->less ? "less" : "more",
                     "at_least", goal->least, "aim", goal->aim, "ratio", spread_json(&ratio));
}

int table_write(const struct table *table, const char *path, const char *machine, const char *date)
{
    json_t *figures = json_array(), *missing = json_array(), *held = json_array(), *all;
    int rc;

    for (size_t i = 0; i < table->series_count; i++) {
        json_array_append_new(figures, series_json(&table->series[i]));
    }
    for (size_t i = 0; i < table->absence_count; i++) {
        const struct absence *a = &table->absences[i];
        json_array_append_new(missing,
                              json_pack("{s:s, s:s, s:s}", "part", a->part, "who", a->who, "why", a->why));
    }
    for (size_t i = 0; i < goal_count; i++) {
        json_array_append_new(held, goal_json(table, &goals[i]));
    }
    all = json_pack("{s:s, s:s, s:o, s:o, s:o}", "date", date, "machine", machine, "goals", held, "figures",
                    figures, "not_available", missing);
    rc = json_dump_file(all, path, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    json_decref(all);
    return rc;
}
