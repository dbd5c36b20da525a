/*
 * The command line; and that the man page says what --help says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "main/main_options.c" /* core/main is in no library; and the tables are read here */

#define WORDS 8

static int parse(struct main_options *o, char *const *words, struct error *err)
{
    char *argv[WORDS + 2] = {"lpm"};
    int argc = 1;
    for (; words[argc - 1]; argc++) {
        argv[argc] = words[argc - 1];
    }
    return main_options_parse(o, argc, argv, err);
}

static void test_accepted(void **state)
{
    (void)state;
    static const struct {
        char *words[WORDS];
        struct main_options want;
    } cases[] = {
        {{NULL}, {0}},
        {{"-t"}, {.test = true}},
        {{"-T"}, {.test = true, .dump = true}},
        {{"-c", "a"}, {.conf = "a"}},
        {{"-ca"}, {.conf = "a"}},
        {{"-tc", "a"}, {.test = true, .conf = "a"}},
        {{"-tca", "-p", "b"}, {.test = true, .conf = "a", .prefix = "b"}},
        {{"-c", "a", "-c", "b"}, {.conf = "b"}},
        {{"-c", "-t"}, {.conf = "-t"}},
        {{"-g", ""}, {.directives = ""}},
        {{"-g", "daemon on;"}, {.directives = "daemon on;"}},
        {{"-s", "stop"}, {.signal = SIGTERM}},
        {{"-squit"}, {.signal = SIGQUIT}},
        {{"-s", "reload"}, {.signal = SIGHUP}},
        {{"-v"}, {.version = true}},
        {{"--version"}, {.version = true}},
        {{"-V"}, {.version = true, .build = true}},
        {{"-h"}, {.help = true}},
        {{"-?"}, {.help = true}},
        {{"--help"}, {.help = true}},
        {{"-vh"}, {.version = true, .help = true}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct main_options *want = &cases[i].want;
        struct main_options o;
        struct error err;
        assert_int_equal(parse(&o, cases[i].words, &err), 0);
        assert_int_equal(o.test, want->test);
        assert_int_equal(o.dump, want->dump);
        assert_int_equal(o.help, want->help);
        assert_int_equal(o.version, want->version);
        assert_int_equal(o.build, want->build);
        assert_int_equal(o.signal, want->signal);
        assert_string_equal(o.conf, want->conf ? want->conf : "conf/lpm.conf");
        assert_string_equal(o.prefix, want->prefix ? want->prefix : LPM_PREFIX);
        assert_string_equal(o.directives ? o.directives : "none",
                            want->directives ? want->directives : "none");
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        char *words[WORDS];
        const char *text;
    } cases[] = {
        {{"-x"}, "unknown option \"-x\" (lpm -h lists them)"},
        {{"-tx"}, "unknown option \"-x\" (lpm -h lists them)"},
        {{"--halp"}, "unknown option \"--halp\" (lpm -h lists them)"},
        {{"--"}, "unknown option \"--\" (lpm -h lists them)"},
        {{"--help=1"}, "unknown option \"--help=1\" (lpm -h lists them)"},
        {{"-\n"}, "unknown option \"-?\" (lpm -h lists them)"},
        {{"-c"}, "option \"-c\" needs a value: -c file"},
        {{"-tc"}, "option \"-c\" needs a value: -c file"},
        {{"-p"}, "option \"-p\" needs a value: -p prefix"},
        {{"-g"}, "option \"-g\" needs a value: -g directives"},
        {{"-s"}, "option \"-s\" needs a value: -s signal"},
        {{"-c", ""}, "option \"-c\" needs a value: -c file"},
        {{"-p", ""}, "option \"-p\" needs a value: -p prefix"},
        {{"-s", "reboot"}, "unknown signal \"reboot\" after -s; expected stop|quit|reload|reopen"},
        {{"-s", ""}, "unknown signal \"\" after -s; expected stop|quit|reload|reopen"},
        {{"-t", "conf"}, "unexpected word \"conf\"; expected options (lpm -h lists them)"},
        {{"-"}, "unexpected word \"-\"; expected options (lpm -h lists them)"},
        {{""}, "unexpected word \"\"; expected options (lpm -h lists them)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct main_options o;
        struct error err;
        assert_int_equal(parse(&o, cases[i].words, &err), LPM_EINVAL);
        assert_string_equal(err.text, cases[i].text);
    }
}

#define TEXT_SIZE 4096

/* What `print` writes. */
static void printed(void (*print)(FILE *out), char text[TEXT_SIZE])
{
    FILE *out = fmemopen(text, TEXT_SIZE, "w");
    assert_non_null(out);
    print(out);
    assert_int_equal(fclose(out), 0);
}

static void print_version(FILE *out)
{
    main_options_version(out, false);
}

static void print_build(FILE *out)
{
    main_options_version(out, true);
}

static void test_version(void **state)
{
    (void)state;
    char text[TEXT_SIZE];
    printed(print_version, text);
    assert_string_equal(text, "lpm/" LPM_VERSION "\n");
    printed(print_build, text);
    assert_string_equal(text, "lpm/" LPM_VERSION "\nbuilt by " LPM_COMPILER
                              "\nconfigure arguments: " LPM_CONFIGURE_ARGS "\n");
}

static char *read_man_page(void)
{
    FILE *file = fopen(LPM_SOURCE_DIR "/docs/man/lpm.8", "r");
    char *text = calloc(1, 65536);
    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

/* Every option of --help, in its order, with the same value, and none besides. */
static void test_man_page(void **state)
{
    (void)state;
    char help[TEXT_SIZE], *man = read_man_page();
    printed(main_options_help, help);
    const char *shown = strstr(help, "\n\n"), *item = man;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &main_option_table[i];
        char want[128];

        snprintf(want, sizeof(want), "\n  -%c%s%s%s%s ", o->letter, o->name ? ", --" : "",
                 o->name ? o->name : "", o->argument ? " " : "", o->argument ? o->argument : "");
        shown = strstr(shown, want);
        assert_non_null(shown);

        item = strstr(item, "\n.It Fl ");
        assert_non_null(item);
        item++;
        snprintf(want, sizeof(want), ".It Fl %c%s%s%s%s\n", o->letter, o->name ? " , Fl -" : "",
                 o->name ? o->name : "", o->argument ? " Ar " : "", o->argument ? o->argument : "");
        assert_memory_equal(item, want, strlen(want));
    }
    assert_null(strstr(item, "\n.It Fl "));
    free(man);
}

/* The same for the words of -s. */
static void test_man_page_signals(void **state)
{
    (void)state;
    char *man = read_man_page(), want[64];
    size_t found = 0;

    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        snprintf(want, sizeof(want), "\n.Cm %s\n", main_signals[i].word);
        assert_non_null(strstr(man, want));
    }
    for (const char *p = strstr(man, "\n.Cm "); p; p = strstr(p + 1, "\n.Cm ")) {
        found++;
    }
    assert_int_equal(found, SIGNAL_COUNT);
    free(man);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),         cmocka_unit_test(test_refused),
        cmocka_unit_test(test_version),          cmocka_unit_test(test_man_page),
        cmocka_unit_test(test_man_page_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
