/* docs/directives.md against the table of the module http. */
#include "docs_fixture.h"

#include "http/http_conf.h"

#define PART "\n## HTTP (module lpm_http)\n"

static void describes_each_directive(void **state)
{
    (void)state;
    char *text = docs_part(PART);
    docs_assert_sections(text, http_conf_directives);
    free(text);
}

static void wrap(const char *context, const char *example, char *room, size_t size)
{
    if (strcmp(context, "main") == 0) {
        snprintf(room, size, "%s", example);
    } else if (strcmp(context, "http") == 0) {
        snprintf(room, size, "http { listen unix:run/a.sock; %s }", example);
    } else {
        assert_string_equal(context, "location");
        snprintf(room, size, "http { listen unix:run/a.sock; location / { %s } }", example);
    }
}

static void gives_good_examples(void **state)
{
    static const char *const handlers[] = {"echo", "resize"};
    (void)state;
    char *text = docs_part(PART);
    const struct conf_table tables[] = {{"core", conf_core_directives}, {"http", http_conf_directives}};
    const struct conf_schema schema = {
        .tables = tables, .table_count = 2, .handlers = handlers, .handler_count = 2};
    docs_assert_examples(text, http_conf_directives, &schema, wrap);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(describes_each_directive),
                                       cmocka_unit_test(gives_good_examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
