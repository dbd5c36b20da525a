/* docs/directives.md against the core's table. */
#include "docs_fixture.h"

static void describes_each_directive(void **state)
{
    (void)state;
    char *text = docs_part("\n## Core\n");
    docs_assert_sections(text, conf_core_directives);
    free(text);
}

static void wrap(const char *context, const char *example, char *room, size_t size)
{
    if (strcmp(context, "main") == 0) {
        snprintf(room, size, "%s", example);
    } else {
        snprintf(room, size, "%s { %s }", context, example);
    }
}

static void gives_good_examples(void **state)
{
    (void)state;
    char *text = docs_part("\n## Core\n");
    const struct conf_table table = {"core", conf_core_directives};
    const struct conf_schema schema = {.tables = &table, .table_count = 1, .partial = true};
    docs_assert_examples(text, conf_core_directives, &schema, wrap);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(describes_each_directive),
                                       cmocka_unit_test(gives_good_examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
