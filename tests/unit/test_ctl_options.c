/*
 * lpmctl's command line; and that the man page knows each command and option that --help shows, and no other.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <lpm/module.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl_options.h"

static int parse(struct ctl_options *o, const char *line, struct error *err)
{
    static char words[512];
    char *argv[32] = {(char *)"lpmctl"}, *rest = words, *word;
    int argc = 1;

    snprintf(words, sizeof(words), "%s", line);
    while ((word = strsep(&rest, " ")) != NULL && argc < 31) {
        if (*word) {
            argv[argc++] = word;
        }
    }
    return ctl_options_parse(o, argc, argv, err);
}

static void good(void **state)
{
    struct ctl_options o;
    struct error err;

    (void)state;
    assert_int_equal(parse(&o, "health", &err), 0);
    assert_int_equal(o.command->what, CTL_HEALTH);
    assert_true(o.timeout == INT64_MIN && o.retries == INT64_MIN);
    assert_int_equal(
        parse(&o, "--json -p /x -c y enqueue h - --timeout -1 --retries 2 --header a:b --header c:", &err),
        0);
    assert_true(o.json && o.timeout == -1 && o.retries == 2);
    assert_string_equal(o.prefix, "/x");
    assert_string_equal(o.conf, "y");
    assert_int_equal(o.arg_count, 2);
    assert_string_equal(o.args[1], "-");
    assert_int_equal(o.header_count, 2);
    assert_int_equal(parse(&o, "enqueue h -- --timeout", &err), 0);
    assert_string_equal(o.args[1], "--timeout");
    assert_int_equal(parse(&o, "--help", &err), 0);
    assert_null(o.command);
    assert_int_equal(parse(&o, "resize --help", &err), 0);
    assert_int_equal(o.command->what, CTL_RESIZE);
}

static void refused(void **state)
{
    static const char *const lines[][2] = {
        {"", "no command (lpmctl --help lists them)"},
        {"healt", "unknown command \"healt\" (lpmctl --help lists them)"},
        {"health now", "\"health\" takes no \"now\": usage: lpmctl health "},
        {"enqueue", "usage: lpmctl enqueue HANDLER [DATA|-]"},
        {"health --jason", "unknown option \"--jason\" (lpmctl --help lists them)"},
        {"enqueue h --timeout", "option \"--timeout\" needs a value: MS"},
        {"enqueue h --timeout 1s", "option \"--timeout\" expects a number, found \"1s\""},
        {"enqueue h --header x", "option \"--header\" expects NAME:VALUE, at most 100 times, found \"x\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct ctl_options o;
        struct error err;
        assert_int_equal(parse(&o, lines[i][0], &err), LPM_EINVAL);
        assert_string_equal(err.text, lines[i][1]);
    }
}

/* The first word of each line that is indented by two: names of commands and options. */
static size_t names_of(const char *text, char names[][32], size_t max)
{
    size_t count = 0;

    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, "  ", 2) == 0 && line[2] != ' ' && count < max) {
            sscanf(line + 2, "%31s", names[count++]);
        }
    }
    return count;
}

static void man_page(void **state)
{
    static char help[16384], man[16384], names[64][32];
    FILE *out = fmemopen(help, sizeof(help), "w"), *page = fopen(LPM_SOURCE_DIR "/docs/man/lpmctl.1", "r");
    size_t count, items = 0;

    (void)state;
    assert_true(out && page);
    ctl_options_help(out, NULL);
    fclose(out);
    assert_true(fread(man, 1, sizeof(man) - 1, page) > 0);
    fclose(page);
    count = names_of(help, names, 64);
    assert_in_range(count, 15, 40);
    for (size_t i = 0; i < count; i++) {
        char want[64];
        snprintf(want, sizeof(want), names[i][0] == '-' ? "\n.It Fl %s" : "\n.It Cm %s",
                 names[i][0] == '-' ? names[i] + 1 : names[i]);
        if (!strstr(man, want)) {
            fail_msg("the man page has no item for %s", names[i]);
        }
    }
    for (const char *p = strstr(man, "\n.It "); p; p = strstr(p + 1, "\n.It ")) {
        items++;
    }
    assert_int_equal(items, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(refused),
                                       cmocka_unit_test(man_page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
