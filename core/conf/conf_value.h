/*
 * One word of a configuration as a value, by its row in a table of directives. Pure.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <lpm/module.h>
#include <stdbool.h>

/* No duration is longer, so that it fits in 63 bits as nanoseconds: 100 years. */
#define CONF_VALUE_TIME_MAX (INT64_C(36500) * 24 * 60 * 60 * 1000)

enum conf_value_result {
    CONF_VALUE_OK = 0,
    CONF_VALUE_FORM, /* not written as this type is */
    CONF_VALUE_RANGE /* written well, but out of the row's bounds */
};

/* FLAG, NUMBER, SIZE, TIME, ENUM: checks `text` and sets `*value` (FLAG 0 or 1, bytes, milliseconds, place in
 * `words`; -1 and auto where the row's flags allow them). Other types take any word, and their value is 0. */
enum conf_value_result conf_value_parse(const lpm_directive *row, const char *text, int64_t *value);

/* What the row expects, for people, after such a result: "a number from 1 to 1024 or auto". Into `room`. */
const char *conf_value_expected(const lpm_directive *row, enum conf_value_result result, char *room,
                                size_t size);

/* True for a type whose values are numbers with bounds. */
bool conf_value_is_number(uint32_t type);

/* Copies the next word of "a|b|c" to `room` and moves `*words` behind it; false when there is none. */
bool conf_value_next_word(const char **words, char *room, size_t size);

/* Is `text` one of "a|b|c"? Then `*place` is its place, from 0 on. */
bool conf_value_find_word(const char *words, const char *text, int64_t *place);

#endif
