/*
 * Small work on strings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static void test_clean(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        char text[4] = {'a', (char)c, 'b', '\0'};
        text_clean(text);
        assert_int_equal(text[0], 'a');
        assert_int_equal(text[1], c < 0x20 || c == 0x7f ? '?' : (char)c);
        assert_int_equal(text[2], 'b');
    }
    char empty[1] = "";
    text_clean(empty);
    assert_string_equal(empty, "");
}

#define X63 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_distance(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        size_t want;
    } cases[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"worker", "worker", 0},
        {"worker", "workers", 1},
        {"worker", "orker", 1},
        {"worker", "wotker", 1},
        {"worker", "wokrer", 1},
        {"worker", "wokers", 2},
        {"ab", "ba", 1},
        {"a", "b", 1},
        {"abc", "cab", 2},
        {"abcd", "badc", 2},
        {"ca", "abc", 3},
        {"kitten", "sitting", 3},
        {"listen", "silent", 4},
        {X63, X63, 0},
        {X63, "", 63},
        {X63 "x", X63 "x", SIZE_MAX},
        {X63 "x", "", SIZE_MAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(text_distance(cases[i].a, cases[i].b), cases[i].want);
        assert_int_equal(text_distance(cases[i].b, cases[i].a), cases[i].want);
    }
}

static void test_signal(void **state)
{
    (void)state;
    char room[32];
    assert_string_equal(text_signal(SIGSEGV, room, sizeof(room)), "SIGSEGV");
    assert_string_equal(text_signal(SIGKILL, room, sizeof(room)), "SIGKILL");
    assert_string_equal(text_signal(0, room, sizeof(room)), "signal 0");
    assert_string_equal(text_signal(-1, room, sizeof(room)), "signal -1");
    assert_string_equal(text_signal(4711, room, sizeof(room)), "signal 4711");
    assert_string_equal(text_signal(SIGSEGV, room, 4), "SIG");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
