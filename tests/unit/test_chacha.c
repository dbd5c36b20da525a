/*
 * ChaCha20: the vectors of RFC 8439, and that stocks do not repeat.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "base/chacha.h"

/* RFC 8439, A.1: 1 and 2, then 3. */
static const struct {
    uint8_t key_end; /* the last byte of the key, the others are 0 */
    uint32_t counter;
    const char *stream;
} vectors[] = {
    {0, 0,
     "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
     "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"},
    {0, 1,
     "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
     "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"},
    {1, 1,
     "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
     "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0"},
};

/* The vector's block as the one of number `lane`. */
static void check(size_t vector, uint32_t lane)
{
    uint32_t key[CHACHA_KEY_SIZE / 4] = {0}, out[CHACHA_SIZE / 4];
    char text[129];

    key[CHACHA_KEY_SIZE / 4 - 1] = (uint32_t)vectors[vector].key_end << 24;
    chacha_blocks(key, vectors[vector].counter - lane, out);
    for (uint32_t word = 0; word < 16; word++) {
        snprintf(text + 8 * word, 9, "%08x", htobe32(htole32(out[CHACHA_LANES * word + lane])));
    }
    assert_string_equal(text, vectors[vector].stream);
}

static void the_vectors_of_the_rfc(void **state)
{
    (void)state;
    for (size_t vector = 0; vector < sizeof(vectors) / sizeof(vectors[0]); vector++) {
        for (uint32_t lane = 0; lane < CHACHA_LANES; lane++) {
            check(vector, lane);
        }
    }
}

/* The key of the next stock stays: what comes is told by nothing that was handed out. */
static void the_key_is_not_handed_out(void **state)
{
    static struct chacha_source source;
    size_t room = sizeof(source.bytes) - CHACHA_KEY_SIZE;

    (void)state;
    for (size_t taken = 0; taken < room; taken += 16) {
        assert_true(chacha_take(&source, 16) >= source.bytes + CHACHA_KEY_SIZE);
    }
    assert_int_equal(source.left, 0);
}

static void stocks_differ(void **state)
{
    static struct chacha_source source, other;
    static uint8_t before[sizeof(source.bytes)];

    (void)state;
    chacha_refill(&source);
    chacha_refill(&other);
    assert_memory_not_equal(source.bytes, other.bytes, sizeof(before));
    for (unsigned n = source.keys_left + 2; n > 0; n--) { /* with a new key from the kernel among them */
        memcpy(before, source.bytes, sizeof(before));
        chacha_refill(&source);
        for (size_t at = 0; at < sizeof(before); at += CHACHA_KEY_SIZE) {
            assert_memory_not_equal(source.bytes + at, before + at, CHACHA_KEY_SIZE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc),
        cmocka_unit_test(the_key_is_not_handed_out),
        cmocka_unit_test(stocks_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
