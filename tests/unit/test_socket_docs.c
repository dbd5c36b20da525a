/* docs/directives.md against the table of the module socket. */
#include "docs_fixture.h"

#include "socket/socket_conf.h"

#define PART "\n## Connections (module lpm_socket)\n"

static void describes_each_directive(void **state)
{
    (void)state;
    char *text = docs_part(PART);
    docs_assert_sections(text, socket_conf_directives);
    free(text);
}

static void wrap(const char *context, const char *example, char *room, size_t size)
{
    bool whole = strcmp(context, "main") == 0;
    const char *listen = strncmp(example, "listen", 6) == 0 ? "" : "listen unix:run/a.sock;";
    const char *handler = strncmp(example, "handler", 7) == 0 ? "" : "handler echo;";

    if (whole) {
        snprintf(room, size, "%s", example);
    } else {
        assert_string_equal(context, "socket");
        snprintf(room, size, "socket { %s %s %s }", listen, handler, example);
    }
}

static void gives_good_examples(void **state)
{
    static const char *const handlers[] = {"echo"};
    (void)state;
    char *text = docs_part(PART);
    const struct conf_table tables[] = {{"core", conf_core_directives}, {"socket", socket_conf_directives}};
    const struct conf_schema schema = {
        .tables = tables, .table_count = 2, .handlers = handlers, .handler_count = 1};
    docs_assert_examples(text, socket_conf_directives, &schema, wrap);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(describes_each_directive),
                                       cmocka_unit_test(gives_good_examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
