/* docs/directives.md against the core's table: each directive with its syntax, default and context, and no other. */
#include "conf_fixture.h"

#define HEAD "\n### "

/* The part of the document about the core, from its heading on. */
static char *core_part(void)
{
    size_t size = 1 << 20;
    char *text = calloc(1, size);
    FILE *file = fopen(LPM_SOURCE_DIR "/docs/directives.md", "r");
    assert_non_null(file);
    assert_in_range(fread(text, 1, size - 1, file), 1, size - 2);
    fclose(file);

    char *start = strstr(text, "\n## Core\n");
    assert_non_null(start);
    memmove(text, start, strlen(start) + 1);
    char *end = strstr(text + 1, "\n## ");
    assert_non_null(end);
    *end = '\0';
    return text;
}

static const lpm_directive *find_row(const char *name)
{
    const lpm_directive *row = conf_core_directives;
    while (row->name && strcmp(row->name, name) != 0) {
        row++;
    }
    return row->name ? row : NULL;
}

static void assert_line(const char *section, const char *line, const char *name)
{
    if (strstr(section, line) == NULL) {
        fail_msg("docs/directives.md, \"%s\": this is missing:%s", name, line);
    }
}

static void assert_section(const lpm_directive *row, const char *section)
{
    char syntax[128], line[512];
    const char *end = row->type == LPM_CONF_BLOCK ? "" : ";";

    snprintf(line, sizeof(line), "\n    Syntax:   %s %s%s\n", row->name,
             conf_schema_syntax(row, syntax, sizeof(syntax)), end);
    assert_line(section, line, row->name);
    snprintf(line, sizeof(line), "\n    Default:  none\n");
    if (row->value) {
        snprintf(line, sizeof(line), "\n    Default:  %s %s;\n", row->name, row->value);
    }
    assert_line(section, line, row->name);
    snprintf(line, sizeof(line), "\n    Context:  %s\n", row->context);
    assert_line(section, line, row->name);
    snprintf(line, sizeof(line), "```nginx\n%s ", row->name);
    assert_line(section, line, row->name);
}

static void describes_each_directive(void **state)
{
    (void)state;
    char *text = core_part();
    size_t sections = 0, rows = 0;
    char line[128];

    for (const lpm_directive *row = conf_core_directives; row->name; row++, rows++) {
        assert_ptr_equal(find_row(row->name), row);
        assert_non_null(row->help);
        snprintf(line, sizeof(line), HEAD "%s\n", row->name);
        assert_line(text, line, row->name);
    }
    for (char *head = strstr(text, HEAD), *next; head; head = next) {
        char *name = head + strlen(HEAD), *end = strchr(name, '\n');
        assert_non_null(end);
        next = strstr(end, HEAD);
        if (next) {
            *next = '\0';
        }
        *end = '\0';
        const lpm_directive *row = find_row(name);
        if (row == NULL) {
            fail_msg("docs/directives.md: \"%s\" is no directive", name);
        }
        assert_section(row, end + 1);
        if (next) {
            *next = '\n';
        }
        sections++;
    }
    assert_int_equal(sections, rows);
    free(text);
}

/* Each example of the document, in its context, passes the checks. */
static void gives_good_examples(void **state)
{
    (void)state;
    char *text = core_part();
    static const char fence[] = "```nginx\n";

    for (char *example = strstr(text, fence); example; example = strstr(example, fence)) {
        struct error err = {.text = ""};
        char conf[512], name[64];
        example += strlen(fence);
        char *end = strstr(example, "```");
        assert_non_null(end);
        *end = '\0';
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(example, " "), example);
        const lpm_directive *row = find_row(name);
        assert_non_null(row);
        snprintf(conf, sizeof(conf), strcmp(row->context, "main") == 0 ? "%.0s%s" : "%s { %s }", row->context,
                 example);
        struct conf_tree *tree = fixture_parse(conf);
        const struct conf_table table = {"core", conf_core_directives};
        const struct conf_schema schema = {.tables = &table, .table_count = 1, .partial = true};
        if (conf_schema_check(tree, &schema, &err) != LPM_OK) {
            fail_msg("docs/directives.md: %s", err.text);
        }
        conf_tree_free(tree);
        example = end + 1;
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(describes_each_directive),
                                       cmocka_unit_test(gives_good_examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
