/* How many workers: numbers, auto, ranges. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "conf/conf_count.h"

static void counts(void **state)
{
    static const struct {
        const char *text;
        unsigned min, max; /* 0: refused */
    } cases[] = {
        {"1", 1, 1},
        {"1024", 1024, 1024},
        {"auto", 4, 4},
        {"1..8", 1, 8},
        {"8..8", 8, 8},
        {"1..auto", 1, 4},
        {"2..auto", 2, 4},
        {"9..auto", 9, 9},
        {"auto..16", 4, 16},
        {"auto..2", 2, 2},
        {"auto..auto", 4, 4},
        {"007", 7, 7},
        {"0", 0, 0},
        {"1025", 0, 0},
        {"8..1", 0, 0},
        {"0..4", 0, 0},
        {"1..1025", 0, 0},
        {"1..", 0, 0},
        {"..8", 0, 0},
        {"..", 0, 0},
        {"1...8", 0, 0},
        {"1..8..9", 0, 0},
        {"1.8", 0, 0},
        {"-1", 0, 0},
        {"+1", 0, 0},
        {" 1", 0, 0},
        {"1 ", 0, 0},
        {"", 0, 0},
        {"two", 0, 0},
        {"automatic", 0, 0},
        {"99999999999999999999", 0, 0},
        {"0000000001", 0, 0},
    };
    struct conf_count count;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int rc = conf_count_parse(&count, cases[i].text, 1024, 4);
        print_message("\"%s\"\n", cases[i].text);
        assert_int_equal(rc == 0, cases[i].min != 0);
        if (rc == 0) {
            assert_int_equal(count.min, cases[i].min);
            assert_int_equal(count.max, cases[i].max);
        }
    }
}

static void auto_is_bounded(void **state)
{
    struct conf_count count;

    (void)state;
    assert_int_equal(conf_count_parse(&count, "1..auto", 1024, 5000), 0);
    assert_int_equal(count.max, 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts), cmocka_unit_test(auto_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
