/*
 * Lines of figures, by run. Runs in the program table. Ends it when a line is none.
 */
#include "table.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void *grow(void *list, size_t count, size_t size)
{
    void *more = realloc(list, (count + 1) * size);

    if (!more) {
        fprintf(stderr, "table: out of memory\n");
        exit(1);
    }
    memset((char *)more + count * size, 0, size);
    return more;
}

static bool same(const struct series *s, const struct subject *subject)
{
    return strcmp(s->part, subject->part) == 0 && strcmp(s->figure, subject->figure) == 0 &&
           strcmp(s->unit, subject->unit) == 0 && strcmp(s->who, subject->who) == 0;
}

const struct series *table_find(const struct table *table, const struct subject *subject)
{
    for (size_t i = 0; i < table->series_count; i++) {
        if (same(&table->series[i], subject)) {
            return &table->series[i];
        }
    }
    return NULL;
}

static struct series *find_or_add(struct table *table, const struct subject *subject)
{
    const struct series *found = table_find(table, subject);
    struct series *s;

    if (found) {
        return &table->series[found - table->series];
    }
    table->series = grow(table->series, table->series_count, sizeof(*table->series));
    s = &table->series[table->series_count++];
    s->part = strdup(subject->part);
    s->figure = strdup(subject->figure);
    s->unit = strdup(subject->unit);
    s->who = strdup(subject->who);
    return s;
}

/* A peer is missing in every run: once is enough. */
static void add_absence(struct table *table, const char *part, const char *who, const char *why)
{
    for (size_t i = 0; i < table->absence_count; i++) {
        if (strcmp(table->absences[i].part, part) == 0 && strcmp(table->absences[i].who, who) == 0) {
            return;
        }
    }
    table->absences = grow(table->absences, table->absence_count, sizeof(*table->absences));
    table->absences[table->absence_count++] = (struct absence){strdup(part), strdup(who), strdup(why)};
}

static bool add(struct table *table, json_t *line)
{
    struct subject subject = {0};
    const char *missing = NULL;
    double value = 0;
    int run = 0;

    if (json_unpack(line, "{s:s, s:i, s:s, s?:s, s?:s, s?:F, s?:s}", "part", &subject.part, "run", &run,
                    "who", &subject.who, "missing", &missing, "figure", &subject.figure, "value", &value,
                    "unit", &subject.unit) != 0 ||
        run < 1 || (unsigned)run > TABLE_RUNS_MAX) {
        return false;
    }
    if (missing) {
        add_absence(table, subject.part, subject.who, missing);
        return true;
    }
    if (!subject.figure || !subject.unit) {
        return false;
    }
    struct series *s = find_or_add(table, &subject);
    s->values[run - 1] = value;
    s->present[run - 1] = true;
    return true;
}

void table_read(struct table *table, FILE *file)
{
    json_error_t error;
    json_t *line;

    while ((line = json_loadf(file, JSON_DISABLE_EOF_CHECK, &error)) != NULL) {
        if (!add(table, line)) {
            fprintf(stderr, "table: this is no figure: %s\n", json_dumps(line, 0));
            exit(1);
        }
        json_decref(line);
    }
    if (!feof(file)) {
        fprintf(stderr, "table: the figures are not JSON: %s\n", error.text);
        exit(1);
    }
}

void table_free(struct table *table)
{
    for (size_t i = 0; i < table->series_count; i++) {
        free(table->series[i].part);
        free(table->series[i].figure);
        free(table->series[i].unit);
        free(table->series[i].who);
    }
    for (size_t i = 0; i < table->absence_count; i++) {
        free(table->absences[i].part);
        free(table->absences[i].who);
        free(table->absences[i].why);
    }
    free(table->series);
    free(table->absences);
}
