/*
 * Checks a module's table of directives before it is used, and writes how a row is written. Runs in the trial and
 * in the tests; a table that is wrong makes its module one that cannot be loaded.
 */
#include "conf/conf_schema.h"

#include <stdio.h>
#include <string.h>

#include "conf/conf_value.h"

#define NAME_MAX  63
#define WORDS_MAX 1024
#define FLAGS     (LPM_CONF_MANY | LPM_CONF_MINUS_ONE | LPM_CONF_AUTO | LPM_CONF_MUST)

static bool is_name(const char *name)
{
    size_t len = name ? strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") : 0;
    return len > 0 && len <= NAME_MAX && name[len] == '\0';
}

static const char *bad_name(const lpm_directive *row)
{
    if (!is_name(row->name)) {
        return "its name is not of [a-z0-9_-]{1,63}";
    }
    if (strcmp(row->name, "include") == 0 || strcmp(row->name, "main") == 0) {
        return "its name is reserved";
    }
    return is_name(row->context) ? NULL : "its context is not of [a-z0-9_-]{1,63}";
}

/* The master opens what these name, so the names mean that alone. */
static const char *bad_type(const lpm_directive *row)
{
    if (row->type > LPM_CONF_BLOCK) {
        return "its type is unknown";
    }
    if ((strcmp(row->name, "listen") == 0) != (row->type == LPM_CONF_LISTEN)) {
        return "the name \"listen\" and the type LPM_CONF_LISTEN go together";
    }
    if ((strcmp(row->name, "access_log") == 0) != (row->type == LPM_CONF_LOG)) {
        return "the name \"access_log\" and the type LPM_CONF_LOG go together";
    }
    return NULL;
}

static const char *bad_flags(const lpm_directive *row)
{
    if (row->flags & ~FLAGS) {
        return "it has unknown flags";
    }
    if ((row->flags & (LPM_CONF_MINUS_ONE | LPM_CONF_AUTO)) && !conf_value_is_number(row->type)) {
        return "-1 and auto are for numbers, sizes and times";
    }
    return (row->flags & LPM_CONF_MUST) && row->value ? "what has to stand has no default" : NULL;
}

static const char *bad_bounds(const lpm_directive *row)
{
    if (!conf_value_is_number(row->type)) {
        return row->min || row->max ? "bounds are for numbers, sizes and times" : NULL;
    }
    if (row->min > row->max) {
        return "its min is over its max";
    }
    return row->min < 0 && row->type != LPM_CONF_NUMBER ? "its min is below 0" : NULL;
}

static const char *bad_args(const lpm_directive *row)
{
    if (row->type != LPM_CONF_STRINGS && row->type != LPM_CONF_BLOCK) {
        return row->args_min || row->args_max ? "args_min and args_max are for strings and blocks" : NULL;
    }
    if (row->args_min > row->args_max) {
        return "its args_min is over its args_max";
    }
    if (row->args_max > WORDS_MAX) {
        return "its args_max is over 1024";
    }
    return row->type == LPM_CONF_STRINGS && row->args_max == 0 ? "its args_max is 0" : NULL;
}

static const char *bad_words(const lpm_directive *row)
{
    const char *words = row->words;
    char word[NAME_MAX + 1];
    int64_t place, count = 0;

    if (row->type != LPM_CONF_ENUM && row->type != LPM_CONF_LISTEN) {
        return words ? "words are for an enum and for listen" : NULL;
    }
    if (words == NULL) {
        return row->type == LPM_CONF_ENUM ? "it has no words" : NULL;
    }
    for (; conf_value_next_word(&words, word, sizeof(word)); count++) {
        if (!is_name(word)) {
            return "one of its words is not of [a-z0-9_-]{1,63}";
        }
        if (!conf_value_find_word(row->words, word, &place) || place != count) {
            return "two of its words are the same, or one is too long";
        }
    }
    return NULL;
}

static size_t count_words(const char *text)
{
    size_t count = 0;
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        text += strcspn(text, " ");
        count++;
    }
    return count;
}

/* 0 or LPM_EABI. */
static int check_default(const lpm_directive *row, const char *owner, struct error *err)
{
    char expected[256];
    int64_t value;

    if (row->value == NULL) {
        return LPM_OK;
    }
    if (row->type == LPM_CONF_BLOCK) {
        return error_set(err, LPM_EABI, "directive \"%s\" of \"%s\": a block has no default", row->name,
                         owner);
    }
    size_t words = count_words(row->value), min = 1, max = 1;
    if (row->type == LPM_CONF_STRINGS) {
        min = row->args_min;
        max = row->args_max;
    }
    if (words < min || words > max) {
        return error_set(err, LPM_EABI, "directive \"%s\" of \"%s\": its default \"%s\" has %zu words",
                         row->name, owner, row->value, words);
    }
    enum conf_value_result result = conf_value_parse(row, row->value, &value);
    if (result == CONF_VALUE_OK) {
        return LPM_OK;
    }
    return error_set(err, LPM_EABI, "directive \"%s\" of \"%s\": its default \"%s\" is not %s", row->name,
                     owner, row->value, conf_value_expected(row, result, expected, sizeof(expected)));
}

static const char *bad_twice(const struct conf_table *table, const lpm_directive *row)
{
    for (const lpm_directive *before = table->rows; before < row; before++) {
        if (strcmp(before->name, row->name) == 0 && strcmp(before->context, row->context) == 0) {
            return "the table has it twice for one context";
        }
    }
    return NULL;
}

int conf_schema_verify(const struct conf_table *table, struct error *err)
{
    static const char *(*const checks[])(const lpm_directive *row) = {bad_name,   bad_type, bad_flags,
                                                                      bad_bounds, bad_args, bad_words};

    for (const lpm_directive *row = table->rows; row && row->name; row++) {
        const char *why = NULL;
        for (size_t i = 0; why == NULL && i < sizeof(checks) / sizeof(checks[0]); i++) {
            why = checks[i](row);
        }
        if (why == NULL) {
            why = bad_twice(table, row);
        }
        if (why) {
            return error_set(err, LPM_EABI, "directive \"%.64s\" of \"%s\": %s", row->name, table->owner,
                             why);
        }
        int rc = check_default(row, table->owner, err);
        if (rc != LPM_OK) {
            return rc;
        }
    }
    return LPM_OK;
}

static const char *type_syntax(const lpm_directive *row)
{
    switch ((lpm_conf_type)row->type) {
    case LPM_CONF_FLAG:
        return "on | off";
    case LPM_CONF_NUMBER:
        return "number";
    case LPM_CONF_SIZE:
        return "size";
    case LPM_CONF_TIME:
        return "time";
    case LPM_CONF_STRING:
        return "string";
    case LPM_CONF_STRINGS:
        return "string ...";
    case LPM_CONF_HANDLER:
        return "name";
    case LPM_CONF_LISTEN:
        return "address";
    case LPM_CONF_LOG:
        return "file | off";
    case LPM_CONF_BLOCK:
        return "{ ... }";
    case LPM_CONF_ENUM:
        break;
    }
    return "";
}

const char *conf_schema_syntax(const lpm_directive *row, char *room, size_t size)
{
    const char *words = row->type == LPM_CONF_ENUM ? row->words : NULL;
    char word[NAME_MAX + 1];
    size_t len = 0;

    if (row->syntax) {
        snprintf(room, size, "%s", row->syntax);
        return room;
    }
    snprintf(room, size, "%s%s%s", type_syntax(row), row->flags & LPM_CONF_MINUS_ONE ? " | -1" : "",
             row->flags & LPM_CONF_AUTO ? " | auto" : "");
    while (len < size && conf_value_next_word(&words, word, sizeof(word))) {
        len += (size_t)snprintf(room + len, size - len, "%s%s", len ? " | " : "", word);
    }
    return room;
}
