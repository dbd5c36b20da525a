/*
 * Error texts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/error.h"

static void test_text_and_code(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(error_set(&err, -13, "found \"%s\", expected %d", "x", 7), -13);
    assert_string_equal(err.text, "found \"x\", expected 7");
}

static void test_one_line(void **state)
{
    (void)state;
    struct error err;
    error_set(&err, -1, "a%s", "\nb\r\tc\x1b[31m\x7f");
    assert_string_equal(err.text, "a?b??c?[31m?");
}

static void test_cut(void **state)
{
    (void)state;
    struct error err;
    char text[ERROR_TEXT_SIZE * 2];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(error_set(&err, -1, "%s", text), -1);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_and_code),
        cmocka_unit_test(test_one_line),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
