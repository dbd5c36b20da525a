/*
 * The chunked coding, by table: each case whole, byte by byte, and cut at each place, with one result.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http_chunked.h"

/* The rows below name only what they are about. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct chunked_case {
    const char *bytes;
    int status;
    const char *body; /* NULL: not looked at */
    size_t used;      /* 0: all */
    size_t len;       /* 0: strlen(bytes) */
};

#define BYTES(text) text, .len = sizeof(text) - 1
#define OK          HTTP_CHUNKED_DONE

static const struct chunked_case cases[] = {
    {"0\r\n\r\n", OK, ""},
    {"2\r\nhi\r\n0\r\n\r\n", OK, "hi"},
    {"1\r\na\r\n000A\r\nbcdefghijk\r\n00\r\n\r\n", OK, "abcdefghijk"},
    {"2;x\r\nhi\r\n0;a=\"b;c\"\r\n\r\n", OK, "hi"},
    {"2; x = y\r\nhi\r\n0\r\n\r\n", OK, "hi"},
    {"2\r\n\r\n\r\n0\r\n\r\n", OK, "\r\n"},
    {"2\r\nhi\r\n0\r\nA: b\r\nC:\r\n\r\n", OK, "hi"},
    {"0\r\n\r\nGET", OK, "", .used = 5},
    {"", HTTP_CHUNKED_MORE},
    {"2\r\nh", HTTP_CHUNKED_MORE},
    {"2\r\nhi\r\n0\r\n", HTTP_CHUNKED_MORE},
    {"2\r\nhi\r\n0\r\nA: b\r\n", HTTP_CHUNKED_MORE},
    {"\r\n", 400},
    {"x\r\n", 400},
    {"+2\r\nhi", 400},
    {"-2\r\nhi", 400},
    {" 2\r\nhi", 400},
    {"2 \r\nhi", 400},
    {"2 ;x\r\nhi", 400},
    {"0x2\r\nhi", 400},
    {"2_0\r\nhi", 400},
    {";x\r\n", 400},
    {"2\nhi", 400},
    {"2\r\rhi", 400},
    {"2\rhi", 400},
    {"2;x\nhi", 400},
    {"2;x\ry\r\nhi", 400},
    {"2;\x01\r\nhi", 400},
    {BYTES("2;\0\r\nhi"), .status = 400},
    {BYTES("2\0\r\nhi"), .status = 400},
    {"ffffffffffffffff\r\n", 400},
    {"10000000000000000\r\n", 400},
    {"0000000000000002\r\nhi", 400},
    {"2\r\nhi0\r\n\r\n", 400},
    {"2\r\nhi\n0\r\n\r\n", 400},
    {"2\r\nhi\r0\r\n\r\n", 400},
    {"2\r\nhix\r\n0\r\n\r\n", 400},
    {"3\r\nhi\r\n0\r\n\r\n", 400},
    {"0\r\n\n", 400},
    {"0\n\r\n", 400},
    {"0\r\nA b\r\n\r\n", 400},
    {"0\r\nA : b\r\n\r\n", 400},
    {"0\r\n: b\r\n\r\n", 400},
    {"0\r\n A: b\r\n\r\n", 400},
    {"0\r\nA: b\r\n c\r\n\r\n", 400},
    {"0\r\nA: b\n\r\n", 400},
    {"0\r\nA: \x01\r\n\r\n", 400},
    {BYTES("0\r\nA: \0\r\n\r\n"), .status = 400},
};

static uint32_t random_below(uint32_t *seed, size_t n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % (uint32_t)n;
}

static char random_byte(uint32_t *seed, const char *interesting, size_t n)
{
    bool any = random_below(seed, 2) == 0;
    return any ? (char)random_below(seed, 256) : interesting[random_below(seed, n)];
}

struct outcome {
    int status;
    size_t used, body_len;
    char body[65536];
    const char *why;
};

static size_t length_of(const struct chunked_case *c)
{
    return c->len ? c->len : strlen(c->bytes);
}

static void feed(struct outcome *out, const char *bytes, size_t len, size_t cut, size_t step)
{
    struct http_chunked chunked;
    http_chunked_init(&chunked);
    out->used = out->body_len = 0;
    for (size_t from = 0, to = cut < len ? cut : len;; from = to, to = to + step < len ? to + step : len) {
        lpm_slice data = {"", 0};
        size_t pos = 0, n = to - from;
        char *copy = malloc(n ? n : 1);
        assert_non_null(copy);
        memcpy(copy, bytes + from, n);
        while ((out->status = http_chunked_next(&chunked, copy, n, &pos, &data)) == HTTP_CHUNKED_DATA) {
            assert_true(data.len > 0 && out->body_len + data.len <= sizeof(out->body));
            memcpy(out->body + out->body_len, data.data, data.len);
            out->body_len += data.len;
        }
        free(copy);
        out->used += pos;
        if (out->status != HTTP_CHUNKED_MORE || to == len) {
            out->why = chunked.why;
            return;
        }
        assert_int_equal(pos, n);
    }
}

static void assert_same(const struct outcome *a, const struct outcome *b, const char *what)
{
    if (a->status != b->status || a->used != b->used || a->body_len != b->body_len) {
        fail_msg("%s: status %d used %zu, whole %d used %zu", what, b->status, b->used, a->status, a->used);
    }
    assert_memory_equal(a->body, b->body, a->body_len);
    assert_ptr_equal(a->why, b->why);
}

static struct outcome whole, parts;

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct chunked_case *c = &cases[i];
        size_t len = length_of(c);
        feed(&whole, c->bytes, len, len, 1);
        if (whole.status != c->status) {
            fail_msg("case %zu (%s): status %d, expected %d", i, c->bytes, whole.status, c->status);
        }
        if (c->body) {
            assert_int_equal(whole.body_len, strlen(c->body));
            assert_memory_equal(whole.body, c->body, whole.body_len);
            assert_int_equal(whole.used, c->used ? c->used : len);
        }
        for (size_t cut = 0; cut <= len; cut++) {
            feed(&parts, c->bytes, len, cut, cut == 0 ? 1 : len);
            assert_same(&whole, &parts, c->bytes);
        }
    }
}

static void test_limits(void **state)
{
    static char bytes[256 * 1024];
    size_t len;
    (void)state;
    /* one extension */
    for (size_t extra = 0; extra < 2; extra++) {
        len = (size_t)sprintf(bytes, "2;%0*d\r\nhi\r\n0\r\n\r\n", (int)(HTTP_CHUNK_EXTENSION_MAX + extra), 0);
        feed(&whole, bytes, len, 0, 3);
        assert_int_equal(whole.status, extra ? 400 : OK);
    }
    /* trailers */
    for (size_t extra = 0; extra < 2; extra++) {
        len = (size_t)sprintf(bytes, "0\r\nA:%0*d\r\n\r\n", (int)(HTTP_TRAILER_MAX - 4 + extra), 0);
        feed(&whole, bytes, len, 0, 1000);
        assert_int_equal(whole.status, extra ? 431 : OK);
    }
    /* chunks of one byte are dear, but no fault; with a long extension each they are one */
    len = 0;
    for (int i = 0; i < 2000; i++) {
        len += (size_t)sprintf(bytes + len, "1\r\nx\r\n");
    }
    len += (size_t)sprintf(bytes + len, "0\r\n\r\n");
    feed(&whole, bytes, len, 0, 777);
    assert_int_equal(whole.status, OK);
    assert_int_equal(whole.body_len, 2000);
    len = 0;
    for (int i = 0; i < 1000; i++) {
        len += (size_t)sprintf(bytes + len, "1;%0200d\r\nx\r\n", 0);
    }
    feed(&whole, bytes, len, len, 1);
    assert_int_equal(whole.status, 400);
    assert_true(whole.body_len < 100);
}

static void test_mutations(void **state)
{
    static const char interesting[] = "\r\n ;:0aFx+-\x01\xff";
    uint32_t seed = 7;
    (void)state;
    for (int round = 0; round < 6000; round++) {
        const struct chunked_case *c = &cases[random_below(&seed, sizeof(cases) / sizeof(cases[0]))];
        char bytes[128];
        size_t cut, len = length_of(c);
        memcpy(bytes, c->bytes, len);
        for (uint32_t changes = 1 + random_below(&seed, 3); changes > 0 && len > 0; changes--) {
            size_t at = random_below(&seed, len);
            bytes[at] = random_byte(&seed, interesting, sizeof(interesting));
        }
        feed(&whole, bytes, len, len, 1);
        cut = random_below(&seed, len + 1);
        feed(&parts, bytes, len, cut, 1 + random_below(&seed, 5));
        assert_same(&whole, &parts, "mutation");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
