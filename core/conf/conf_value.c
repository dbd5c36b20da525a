/*
 * Units and bounds. Runs in the master and in the trial; never overflows, refuses instead.
 */
#include "conf/conf_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* From the largest, for writing. A number without a unit is bytes or seconds. */
static const struct unit sizes[] = {
    {"g", INT64_C(1) << 30}, {"m", 1 << 20}, {"k", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct unit upper_sizes[] = {{"G", INT64_C(1) << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {NULL, 0}};
static const struct unit times[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                    {"s", 1000},     {"ms", 1},      {NULL, 0}};
static const struct unit bare_times[] = {{"", 1000}, {NULL, 0}};
static const struct unit none[] = {{"", 1}, {NULL, 0}};

bool conf_value_is_number(uint32_t type)
{
    return type == LPM_CONF_NUMBER || type == LPM_CONF_SIZE || type == LPM_CONF_TIME;
}

bool conf_value_next_word(const char **words, char *room, size_t size)
{
    if (*words == NULL) {
        return false;
    }
    const char *end = strchr(*words, '|');
    size_t len = end ? (size_t)(end - *words) : strlen(*words);
    snprintf(room, size, "%.*s", (int)len, *words);
    *words = end ? end + 1 : NULL;
    return true;
}

static int64_t factor_of(const struct unit *units, const char *name)
{
    while (units->name && strcmp(units->name, name) != 0) {
        units++;
    }
    return units->factor;
}

/* The factor of a unit of that type; 0: there is no such unit. */
static int64_t unit_factor(uint32_t type, const char *name)
{
    if (type == LPM_CONF_NUMBER) {
        return factor_of(none, name);
    }
    const struct unit *first = type == LPM_CONF_SIZE ? sizes : times;
    const struct unit *second = type == LPM_CONF_SIZE ? upper_sizes : bare_times;
    int64_t factor = factor_of(first, name);
    return factor ? factor : factor_of(second, name);
}

/* Reads the digits at the beginning; returns what follows them. False in `*fits` for more than 63 bits. */
static const char *read_digits(const char *text, int64_t *n, bool *fits)
{
    for (*n = 0; *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(*n, 10, n) || __builtin_add_overflow(*n, *text - '0', n)) {
            *fits = false;
            *n = 0;
        }
    }
    return text;
}

static void bounds(const lpm_directive *row, int64_t *min, int64_t *max)
{
    bool open = row->min == 0 && row->max == 0;
    *min = row->min;
    *max = open ? INT64_MAX : row->max;
    if (row->type == LPM_CONF_TIME && *max > CONF_VALUE_TIME_MAX) {
        *max = CONF_VALUE_TIME_MAX;
    }
}

static enum conf_value_result parse_number(const lpm_directive *row, const char *text, int64_t *value)
{
    bool minus = *text == '-', fits = true;
    const char *start = text + minus;
    int64_t n, min, max;
    const char *unit = read_digits(start, &n, &fits);
    int64_t factor = unit_factor(row->type, unit);

    if (unit == start || factor == 0) {
        return CONF_VALUE_FORM;
    }
    bounds(row, &min, &max);
    if (!fits || __builtin_mul_overflow(n, minus ? -factor : factor, &n) || n < min || n > max) {
        return CONF_VALUE_RANGE;
    }
    *value = n;
    return CONF_VALUE_OK;
}

bool conf_value_find_word(const char *words, const char *text, int64_t *place)
{
    char word[64];
    for (*place = 0; conf_value_next_word(&words, word, sizeof(word)); ++*place) {
        if (strcmp(word, text) == 0) {
            return true;
        }
    }
    return false;
}

static enum conf_value_result parse_enum(const char *words, const char *text, int64_t *value)
{
    return conf_value_find_word(words, text, value) ? CONF_VALUE_OK : CONF_VALUE_FORM;
}

enum conf_value_result conf_value_parse(const lpm_directive *row, const char *text, int64_t *value)
{
    *value = 0;
    if ((row->flags & LPM_CONF_MINUS_ONE) && strcmp(text, "-1") == 0) {
        *value = LPM_NONE;
        return CONF_VALUE_OK;
    }
    if ((row->flags & LPM_CONF_AUTO) && strcmp(text, "auto") == 0) {
        *value = LPM_DEFAULT;
        return CONF_VALUE_OK;
    }
    if (conf_value_is_number(row->type)) {
        return parse_number(row, text, value);
    }
    if (row->type == LPM_CONF_FLAG) {
        return parse_enum("off|on", text, value);
    }
    return row->type == LPM_CONF_ENUM ? parse_enum(row->words, text, value) : CONF_VALUE_OK;
}

/* A number as people would write it, in the largest unit that fits. */
static const char *write_number(uint32_t type, int64_t n, char *room, size_t size)
{
    const struct unit *unit = type == LPM_CONF_SIZE ? sizes : type == LPM_CONF_TIME ? times : none;
    while (n % unit->factor != 0) {
        unit++;
    }
    snprintf(room, size, "%" PRId64 "%s", n / unit->factor, n ? unit->name : "");
    return room;
}

/* "a|b|c" to "a, b or c". */
static const char *join(const char *words, char *room, size_t size)
{
    size_t len = 0;
    const char *last = strrchr(words, '|');

    for (const char *p = words; *p && len + 5 < size; p++) {
        if (*p != '|') {
            room[len++] = *p;
            continue;
        }
        const char *between = p == last ? " or " : ", ";
        memcpy(room + len, between, strlen(between));
        len += strlen(between);
    }
    room[len] = '\0';
    return room;
}

/* "a size from 1m to 4g", or how such a value is written. */
static void write_range(const lpm_directive *row, enum conf_value_result result, char *room, size_t size)
{
    const char *what = row->type == LPM_CONF_SIZE ? "size" : row->type == LPM_CONF_TIME ? "time" : "number";
    char from[32], to[32];
    int64_t min, max;

    if (result == CONF_VALUE_FORM && row->type == LPM_CONF_SIZE) {
        snprintf(room, size, "a size such as 512|64k|1m|2g");
        return;
    }
    if (result == CONF_VALUE_FORM && row->type == LPM_CONF_TIME) {
        snprintf(room, size, "a time such as 500ms|30s|5m");
        return;
    }
    bounds(row, &min, &max);
    write_number(row->type, min, from, sizeof(from));
    if (max == INT64_MAX) {
        snprintf(room, size, "a %s from %s on", what, from);
    } else {
        snprintf(room, size, "a %s from %s to %s", what, from, write_number(row->type, max, to, sizeof(to)));
    }
}

const char *conf_value_expected(const lpm_directive *row, enum conf_value_result result, char *room,
                                size_t size)
{
    char words[512], range[128];

    if (row->type == LPM_CONF_FLAG) {
        return join("on|off", room, size);
    }
    if (row->type == LPM_CONF_ENUM) {
        return join(row->words, room, size);
    }
    write_range(row, result, range, sizeof(range));
    snprintf(words, sizeof(words), "%s%s%s", range, row->flags & LPM_CONF_MINUS_ONE ? "|-1" : "",
             row->flags & LPM_CONF_AUTO ? "|auto" : "");
    return join(words, room, size);
}
