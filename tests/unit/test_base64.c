/*
 * Base64: the examples of RFC 4648, section 10, and what is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <lpm/module.h>
#include <string.h>

#include "base/base64.h"

static void examples(void **state)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char text[32], bytes[32];
        size_t len = 99;

        base64_encode(text, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(strlen(text), base64_size(strlen(pairs[i][0])));
        assert_int_equal(base64_decode(bytes, &len, text, strlen(text)), 0);
        assert_int_equal(len, strlen(pairs[i][0]));
        assert_memory_equal(bytes, pairs[i][0], len);
    }
}

static void refused(void **state)
{
    static const char *const texts[] = {
        "Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "====", "Zh==", "Zm9=", "Zm 8", "Zm9-", "=m9v"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char bytes[32];
        size_t len;
        assert_int_equal(base64_decode(bytes, &len, texts[i], strlen(texts[i])), LPM_EINVAL);
    }
}

static void all_bytes(void **state)
{
    uint8_t bytes[256], back[256];
    char text[400];
    size_t len;

    (void)state;
    for (size_t i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
    }
    for (size_t n = 0; n <= 256; n++) {
        base64_encode(text, bytes, n);
        assert_int_equal(base64_decode(back, &len, text, strlen(text)), 0);
        assert_int_equal(len, n);
        assert_memory_equal(bytes, back, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples), cmocka_unit_test(refused),
                                       cmocka_unit_test(all_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
