/*
 * Checks a tree against tables of directives. Runs in the master (the core's table) and in the trial (all of
 * them); the first fault ends it.
 */
#include "conf/conf_schema.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "conf/conf_value.h"

#define MAIN "main"

/* The known word that is nearest to what was found. */
struct guess {
    const char *found, *best;
    size_t distance; /* of the best; at first, what is too far */
};

/* A third of the word may be wrong, and one letter of a short one. */
static struct guess guess_begin(const char *found)
{
    size_t wrong = strlen(found) / 3;
    return (struct guess){.found = found, .distance = 1 + (wrong > 0 ? wrong : 1)};
}

static void guess_try(struct guess *guess, const char *word)
{
    size_t distance = text_distance(guess->found, word);
    if (distance < guess->distance) {
        guess->distance = distance;
        guess->best = word;
    }
}

static const char *context_of(const struct lpm_conf *node)
{
    return node->parent->parent ? node->parent->name : MAIN;
}

static const lpm_directive *rows_of(const struct conf_table *table)
{
    static const lpm_directive none[1];
    return table->rows ? table->rows : none;
}

static const lpm_directive *find_row(const struct conf_table *table, const char *name, const char *context)
{
    for (const lpm_directive *row = rows_of(table); row->name; row++) {
        if (strcmp(row->name, name) == 0 && strcmp(row->context, context) == 0) {
            return row;
        }
    }
    return NULL;
}

static const lpm_directive *find_any(const struct conf_schema *schema, const char *name, const char *context)
{
    for (size_t i = 0; i < schema->table_count; i++) {
        const lpm_directive *row = find_row(&schema->tables[i], name, context);
        if (row) {
            return row;
        }
    }
    return NULL;
}

/* Every row of every table, one after the other: begin with table 0 and NULL. */
static const lpm_directive *next_row(const struct conf_schema *schema, size_t *table,
                                     const lpm_directive *row)
{
    row = row ? row + 1 : *table < schema->table_count ? rows_of(&schema->tables[*table]) : NULL;
    while (row && row->name == NULL) {
        row = ++*table < schema->table_count ? rows_of(&schema->tables[*table]) : NULL;
    }
    return row;
}

#define EACH_ROW(row, schema)                                                    \
    size_t row##_table = 0;                                                      \
    for (const lpm_directive *row = next_row((schema), &row##_table, NULL); row; \
         row = next_row((schema), &row##_table, row))

static int unknown(const struct conf_schema *schema, const struct lpm_conf *node, struct error *err)
{
    const char *context = context_of(node);
    struct guess guess = guess_begin(node->name);

    conf_tree_error(node, err, "unknown directive \"%s\"", node->name);
    guess_try(&guess, "include");
    EACH_ROW(row, schema)
    {
        if (strcmp(row->context, context) == 0) {
            guess_try(&guess, row->name);
        }
    }
    if (guess.best) {
        conf_tree_hint(err, "did you mean \"%s\"?", guess.best);
    } else if (strcmp(context, MAIN) == 0) {
        conf_tree_hint(err, "is a load_module missing?");
    }
    return LPM_ECONF;
}

/* No row for the place where it stands: it belongs elsewhere, or nowhere. */
static int misplaced(const struct conf_schema *schema, const struct lpm_conf *node, struct error *err)
{
    char places[256] = "";
    size_t len = 0;

    EACH_ROW(row, schema)
    {
        if (strcmp(row->name, node->name) == 0 && len < sizeof(places)) {
            bool top = strcmp(row->context, MAIN) == 0;
            len += (size_t)snprintf(places + len, sizeof(places) - len, "%s%s%s%s", len ? " or " : "",
                                    top ? "at the top" : "in \"", top ? "" : row->context, top ? "" : "\"");
        }
    }
    if (len == 0) {
        return unknown(schema, node, err);
    }
    if (node->parent->parent) {
        conf_tree_error(node, err, "\"%s\" does not belong in \"%s\"", node->name, node->parent->name);
    } else {
        conf_tree_error(node, err, "\"%s\" does not belong at the top", node->name);
    }
    conf_tree_hint(err, "it belongs %s", places);
    return LPM_ECONF;
}

static void arg_bounds(const lpm_directive *row, size_t *min, size_t *max)
{
    *min = *max = 1;
    if (row->type == LPM_CONF_STRINGS || row->type == LPM_CONF_BLOCK) {
        *min = row->args_min;
        *max = row->args_max;
    } else if (row->type == LPM_CONF_LISTEN) {
        *max = SIZE_MAX;
    }
}

static const char *count_text(size_t min, size_t max, char *room, size_t size)
{
    if (max == 0) {
        snprintf(room, size, "no argument");
    } else if (max == SIZE_MAX) {
        snprintf(room, size, min == 1 ? "at least one argument" : "at least %zu arguments", min);
    } else if (min == max) {
        snprintf(room, size, min == 1 ? "one argument" : "%zu arguments", min);
    } else if (min == 0) {
        snprintf(room, size, max == 1 ? "at most one argument" : "at most %zu arguments", max);
    } else {
        snprintf(room, size, "%zu to %zu arguments", min, max);
    }
    return room;
}

static int check_count(const struct conf_schema *schema, const struct lpm_conf *node,
                       const lpm_directive *row, struct error *err)
{
    char expected[64], found[32] = "none";
    size_t min, max;

    arg_bounds(row, &min, &max);
    if (node->arg_count >= min && node->arg_count <= max) {
        return LPM_OK;
    }
    if (node->arg_count > 0) {
        snprintf(found, sizeof(found), "%zu", node->arg_count);
    }
    conf_tree_error(node, err, "\"%s\" takes %s, found %s", node->name,
                    count_text(min, max, expected, sizeof(expected)), found);
    for (size_t i = max; i < node->arg_count; i++) {
        if (find_any(schema, node->args[i].data, row->context)) {
            conf_tree_hint(err, "is a \";\" missing before \"%s\"?", node->args[i].data);
            break;
        }
    }
    return LPM_ECONF;
}

static int check_handler(const struct conf_schema *schema, const struct lpm_conf *node, struct error *err)
{
    const char *name = node->args[0].data;
    struct guess guess = guess_begin(name);

    for (size_t i = 0; i < schema->handler_count; i++) {
        if (strcmp(schema->handlers[i], name) == 0) {
            return LPM_OK;
        }
        guess_try(&guess, schema->handlers[i]);
    }
    conf_tree_error(node, err,
                    "\"%s\" expects the name of a loaded module that answers requests, found \"%s\"",
                    node->name, name);
    if (guess.best) {
        conf_tree_hint(err, "did you mean \"%s\"?", guess.best);
    }
    return LPM_ECONF;
}

/* The master has looked at what is said with "=", and left other words to those who know what they mean. */
static int check_listen(const struct lpm_conf *node, const lpm_directive *row, struct error *err)
{
    int64_t place;

    for (size_t i = 1; i < node->arg_count; i++) {
        const char *word = node->args[i].data;
        if (!strchr(word, '=') && !(row->words && conf_value_find_word(row->words, word, &place))) {
            return conf_tree_error(node, err, "\"listen\" has \"%s\": expected backlog=NUMBER%s%s", word,
                                   row->words ? " or " : "", row->words ? row->words : "");
        }
    }
    return LPM_OK;
}

static int check_value(const struct conf_schema *schema, struct lpm_conf *node, const lpm_directive *row,
                       struct error *err)
{
    if (row->type == LPM_CONF_LISTEN) {
        return check_listen(node, row, err);
    }
    if (row->type == LPM_CONF_BLOCK || row->type == LPM_CONF_STRINGS) {
        return LPM_OK;
    }
    if (row->type == LPM_CONF_HANDLER) {
        return schema->partial ? LPM_OK : check_handler(schema, node, err);
    }
    char expected[256], word[64];
    const char *text = node->args[0].data, *words = row->type == LPM_CONF_ENUM ? row->words : NULL;
    enum conf_value_result result = conf_value_parse(row, text, &node->value);
    if (result == CONF_VALUE_OK) {
        return LPM_OK;
    }
    conf_tree_error(node, err, "\"%s\" expects %s, found \"%s\"", node->name,
                    conf_value_expected(row, result, expected, sizeof(expected)), text);
    struct guess guess = guess_begin(text);
    while (guess.best == NULL && conf_value_next_word(&words, word, sizeof(word))) {
        guess_try(&guess, word);
    }
    if (guess.best) {
        conf_tree_hint(err, "did you mean \"%s\"?", guess.best);
    }
    return LPM_ECONF;
}

static int check_directive(const struct conf_schema *schema, struct lpm_conf *node, const lpm_directive *row,
                           struct error *err)
{
    bool block = row->type == LPM_CONF_BLOCK;

    if (node->is_block != block) {
        return conf_tree_error(node, err,
                               block ? "directive \"%s\" needs \"{\"" : "directive \"%s\" takes no \"{\"",
                               node->name);
    }
    int rc = check_count(schema, node, row, err);
    if (rc != LPM_OK) {
        return rc;
    }
    if (!(row->flags & LPM_CONF_MANY)) {
        const struct lpm_conf *first = conf_tree_child(node->parent, node->name);
        if (first != node) {
            conf_tree_error(node, err, "\"%s\" is a duplicate", node->name);
            conf_tree_hint(err, "the first is in %.128s:%d", first->file, first->line);
            return LPM_ECONF;
        }
    }
    return check_value(schema, node, row, err);
}

static int check_must(const struct conf_schema *schema, const struct lpm_conf *block, struct error *err)
{
    const char *context = block->parent ? block->name : MAIN;

    EACH_ROW(row, schema)
    {
        if (!(row->flags & LPM_CONF_MUST) || strcmp(row->context, context) != 0 ||
            conf_tree_child(block, row->name)) {
            continue;
        }
        if (block->parent) {
            return conf_tree_error(block, err, "\"%s\" needs a \"%s\"", block->name, row->name);
        }
        return conf_tree_error(block, err, "a \"%s\" is missing", row->name);
    }
    return LPM_OK;
}

/* Recursion ends: the parser bounds how deep blocks nest. */
static int check_block(const struct conf_schema *schema, struct lpm_conf *block, struct error *err)
{
    for (struct lpm_conf *node = block->first; node; node = node->next) {
        const lpm_directive *row = find_any(schema, node->name, context_of(node));
        int rc = LPM_OK;
        if (row) {
            rc = check_directive(schema, node, row, err);
        } else if (!schema->partial) {
            rc = misplaced(schema, node, err);
        }
        if (rc == LPM_OK && row && node->is_block) {
            rc = check_block(schema, node, err);
        }
        if (rc != LPM_OK) {
            return rc;
        }
    }
    return check_must(schema, block, err);
}

/* No directive may be named for one block by two tables. */
static int check_tables(const struct conf_schema *schema, struct error *err)
{
    for (size_t i = 1; i < schema->table_count; i++) {
        for (const lpm_directive *row = rows_of(&schema->tables[i]); row->name; row++) {
            for (size_t j = 0; j < i; j++) {
                if (find_row(&schema->tables[j], row->name, row->context)) {
                    return error_set(
                        err, LPM_ECONF, "directive \"%s\" in \"%s\" is declared by both \"%s\" and \"%s\"",
                        row->name, row->context, schema->tables[j].owner, schema->tables[i].owner);
                }
            }
        }
    }
    return LPM_OK;
}

int conf_schema_check(struct conf_tree *tree, const struct conf_schema *schema, struct error *err)
{
    int rc = check_tables(schema, err);
    return rc == LPM_OK ? check_block(schema, tree->root, err) : rc;
}
