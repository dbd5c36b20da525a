/*
 * docs/directives.md against tables of directives: a part of it has a section for each name of a table, with syntax,
 * default and contexts as the table has them, and no other section; its examples pass the checks.
 */
#ifndef DOCS_FIXTURE_H
#define DOCS_FIXTURE_H

#include "conf_fixture.h"

#define DOCS_HEAD  "\n### "
#define DOCS_FENCE "```nginx\n"

/* The part of the document below `heading` ("\n## Core\n"), which the caller frees. */
static inline char *docs_part(const char *heading)
{
    size_t size = 1 << 20;
    char *text = calloc(1, size);
    FILE *file = fopen(LPM_SOURCE_DIR "/docs/directives.md", "r");
    assert_non_null(text);
    assert_non_null(file);
    assert_in_range(fread(text, 1, size - 1, file), 1, size - 2);
    fclose(file);

    char *start = strstr(text, heading);
    assert_non_null(start);
    memmove(text, start, strlen(start) + 1);
    char *end = strstr(text + 1, "\n## ");
    if (end) {
        *end = '\0';
    }
    return text;
}

static inline const lpm_directive *docs_row(const lpm_directive *rows, const char *name)
{
    while (rows->name && strcmp(rows->name, name) != 0) {
        rows++;
    }
    return rows->name ? rows : NULL;
}

static inline void docs_assert_line(const char *section, const char *line, const char *name)
{
    if (strstr(section, line) == NULL) {
        fail_msg("docs/directives.md, \"%s\": this is missing:%s", name, line);
    }
}

/* `row` is the first of its name; those that follow say where else it may stand, written in the same way. */
static inline void docs_assert_section(const lpm_directive *row, const char *section)
{
    char syntax[128], other[128], line[512];
    const char *end = row->type == LPM_CONF_BLOCK ? "" : ";";
    int len;

    conf_schema_syntax(row, syntax, sizeof(syntax));
    snprintf(line, sizeof(line), "\n    Syntax:   %s %s%s\n", row->name, syntax, end);
    docs_assert_line(section, line, row->name);
    snprintf(line, sizeof(line), "\n    Default:  none\n");
    if (row->value) {
        snprintf(line, sizeof(line), "\n    Default:  %s %s;\n", row->name, row->value);
    }
    docs_assert_line(section, line, row->name);
    len = snprintf(line, sizeof(line), "\n    Context:  %s", row->context);
    for (const lpm_directive *next = row + 1; next->name && (next = docs_row(next, row->name)); next++) {
        len += snprintf(line + len, sizeof(line) - (size_t)len, ", %s", next->context);
        assert_string_equal(conf_schema_syntax(next, other, sizeof(other)), syntax);
    }
    snprintf(line + len, sizeof(line) - (size_t)len, "\n");
    docs_assert_line(section, line, row->name);
    snprintf(line, sizeof(line), DOCS_FENCE "%s ", row->name);
    docs_assert_line(section, line, row->name);
}

/* A section for each name, and each section of a name. */
static inline void docs_assert_sections(char *text, const lpm_directive *rows)
{
    size_t sections = 0, names = 0;
    char line[128];

    for (const lpm_directive *row = rows; row->name; row++) {
        assert_non_null(row->help);
        snprintf(line, sizeof(line), DOCS_HEAD "%s\n", row->name);
        docs_assert_line(text, line, row->name);
        names += docs_row(rows, row->name) == row;
    }
    for (char *head = strstr(text, DOCS_HEAD), *next; head; head = next) {
        char *name = head + strlen(DOCS_HEAD), *end = strchr(name, '\n');
        assert_non_null(end);
        next = strstr(end, DOCS_HEAD);
        if (next) {
            *next = '\0';
        }
        *end = '\0';
        const lpm_directive *row = docs_row(rows, name);
        if (row == NULL) {
            fail_msg("docs/directives.md: \"%s\" is no directive", name);
        }
        docs_assert_section(row, end + 1);
        if (next) {
            *next = '\n';
        }
        sections++;
    }
    assert_int_equal(sections, names);
}

/* Each example is one directive; `wrap` gives it the blocks that its context asks for. */
static inline void docs_assert_examples(char *text, const lpm_directive *rows,
                                        const struct conf_schema *schema,
                                        void (*wrap)(const char *context, const char *example, char *room,
                                                     size_t size))
{
    for (char *example = strstr(text, DOCS_FENCE); example; example = strstr(example, DOCS_FENCE)) {
        struct error err = {.text = ""};
        char conf[512], name[64];
        example += strlen(DOCS_FENCE);
        char *end = strstr(example, "```");
        assert_non_null(end);
        *end = '\0';
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(example, " "), example);
        const lpm_directive *row = docs_row(rows, name);
        assert_non_null(row);
        wrap(row->context, example, conf, sizeof(conf));
        struct conf_tree *tree = fixture_parse(conf);
        if (conf_schema_check(tree, schema, &err) != LPM_OK) {
            fail_msg("docs/directives.md: %s", err.text);
        }
        conf_tree_free(tree);
        example = end + 1;
    }
}

#endif
