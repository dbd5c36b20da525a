/*
 * UUIDs: their form, and that no two are alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"

#define COUNT 100000

static void test_form(void **state)
{
    (void)state;
    struct chacha_source source = {.left = 0};
    char text[UUID_TEXT_SIZE + 1];

    for (int n = 0; n < 1000; n++) {
        memset(text, '#', sizeof(text));
        uuid_make(&source, text);
        assert_int_equal(strlen(text), 36);
        assert_int_equal(text[UUID_TEXT_SIZE], '#');
        for (int i = 0; i < 36; i++) {
            const char *allowed = "0123456789abcdef";
            if (i == 8 || i == 13 || i == 18 || i == 23) {
                allowed = "-";
            } else if (i == 14) {
                allowed = "4";
            } else if (i == 19) {
                allowed = "89ab";
            }
            assert_non_null(strchr(allowed, text[i]));
        }
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void test_unique(void **state)
{
    (void)state;
    struct chacha_source source = {.left = 0};
    char(*all)[UUID_TEXT_SIZE] = malloc(COUNT * sizeof(*all));

    assert_non_null(all);
    for (size_t i = 0; i < COUNT; i++) {
        uuid_make(&source, all[i]);
    }
    qsort(all, COUNT, sizeof(*all), compare);
    for (size_t i = 1; i < COUNT; i++) {
        assert_true(strcmp(all[i - 1], all[i]) < 0);
    }
    free(all);
}

/* Every random bit changes: one that is stuck would halve what makes them unique. */
static void test_bits(void **state)
{
    (void)state;
    struct chacha_source source = {.left = 0};
    char first[UUID_TEXT_SIZE], text[UUID_TEXT_SIZE];
    int changed[36] = {0};

    uuid_make(&source, first);
    for (int n = 0; n < 1000; n++) {
        uuid_make(&source, text);
        for (int i = 0; i < 36; i++) {
            changed[i] |= text[i] != first[i];
        }
    }
    for (int i = 0; i < 36; i++) {
        assert_int_equal(changed[i], i != 8 && i != 13 && i != 18 && i != 23 && i != 14);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_unique),
        cmocka_unit_test(test_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
