/*
 * The parser of request heads, by table: each case whole, byte by byte, and cut at each place, with one result.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http_parse.h"

#define MAX 1024

/* The rows below name only what they are about. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct parse_case {
    const char *bytes;
    int status; /* HTTP_PARSE_DONE, HTTP_PARSE_MORE, or the status of the refusal */
    size_t len; /* 0: strlen(bytes) */
    const char *path, *authority;
};

#define GET         "GET / HTTP/1.1\r\n"
#define HOST        GET "Host: a\r\n"
#define POST        "POST / HTTP/1.1\r\nHost: a\r\n"
#define REST        "\r\n\r\n"
#define BYTES(text) text, .len = sizeof(text) - 1
#define OK          HTTP_PARSE_DONE

static const struct parse_case cases[] = {
    /* good */
    {HOST "\r\n", OK, .path = "/", .authority = "a"},
    {"\r\n" HOST "\r\n", OK, .path = "/", .authority = "a"},
    {"GET /a%20b/../c?d=%00&e HTTP/1.1\r\nhost:\t example.org:8080 \r\n\r\n", OK,
     .path = "/a%20b/../c?d=%00&e", .authority = "example.org:8080"},
    {"GET http://b.c:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n", OK, .path = "/x?y", .authority = "b.c:81"},
    {"GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n", OK, .path = "", .authority = "b"},
    {"GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n", OK, .path = "?q", .authority = "b"},
    {"OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", OK, .path = "*", .authority = ""},
    {"GET / HTTP/1.0\r\n\r\n", OK, .path = "/", .authority = ""},
    {"GET / HTTP/1.9\r\nHost: a\r\n\r\n", OK},
    {"M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", OK, .authority = "[::1]:80"},
    {HOST "X:\r\nY: \t \r\nZ: a \t b\xff\r\n\r\n", OK},
    {HOST "Connection: close, , X\r\n\r\n", OK},
    {HOST "Content-Length: 000\r\n\r\n", OK},
    {POST "Content-Length: 5\r\n\r\nhello", OK},
    {POST "Transfer-Encoding: ChunKed\r\n\r\n", OK},
    {POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", OK},
    {"GET / HTTP/1.0\r\nExpect: rain\r\n\r\n", OK},
    {"GET / HTTP/1.1\r\nHost: a%41b,c\r\n\r\n", OK},
    /* not whole */
    {"", HTTP_PARSE_MORE},
    {"\r\n", HTTP_PARSE_MORE},
    {"GET / HT", HTTP_PARSE_MORE},
    {HOST, HTTP_PARSE_MORE},
    {HOST "X: y\r", HTTP_PARSE_MORE},
    /* lines */
    {"\r\n\r\n" HOST "\r\n", 400},
    {"\n" HOST "\r\n", 400},
    {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
    {GET "Host: a\n\r\n", 400},
    {HOST "\n", 400},
    {HOST "X: y\n\n", 400},
    {HOST "X: a\rb\r\n\r\n", 400},
    {HOST "X: a\r\r\n\r\n", 400},
    {HOST "\r\r\n", 400},
    {GET "\rHost: a\r\n\r\n", 400},
    {"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {HOST "X: a\r\n b\r\n\r\n", 400},
    {HOST "X: a\r\n\tb\r\n\r\n", 400},
    {GET " Host: a\r\n\r\n", 400},
    /* request line */
    {" GET / HTTP/1.1\r\nHost: a" REST, 400},
    {"\x16\x03\x01", 400},
    {"G\x01T / HTTP/1.1\r\nHost: a" REST, 400},
    {"G@T / HTTP/1.1\r\nHost: a" REST, 400},
    {"GET  / HTTP/1.1\r\nHost: a" REST, 400},
    {"GET\t/ HTTP/1.1\r\nHost: a" REST, 400},
    {"GET /  HTTP/1.1\r\nHost: a" REST, 400},
    {"GET / HTTP/1.1 \r\nHost: a" REST, 400},
    {"GET /a b HTTP/1.1\r\nHost: a" REST, 400},
    {"GET /a\tb HTTP/1.1\r\nHost: a" REST, 400},
    {"GET /a\xc3\xa4 HTTP/1.1\r\nHost: a" REST, 400},
    {"GET /a#b HTTP/1.1\r\nHost: a" REST, 400},
    {"GET /a\x7f HTTP/1.1\r\nHost: a" REST, 400},
    {BYTES("GET /\0 HTTP/1.1\r\nHost: a" REST), .status = 400},
    {"GET /\r\n\r\n", 400},
    {"GET\r\n\r\n", 400},
    {"GET / \r\n\r\n", 400},
    {"GET / http/1.1\r\nHost: a" REST, 400},
    {"GET / HTTP/1.10\r\nHost: a" REST, 400},
    {"GET / HTTP/1,1\r\nHost: a" REST, 400},
    {"GET / HTTP/01.1\r\nHost: a" REST, 400},
    {"GET / HTTP/1\r\nHost: a" REST, 400},
    {"GET / HTTP/2.0\r\nHost: a" REST, 505},
    {"PRI * HTTP/2.0\r\n\r\nSM" REST, 505},
    {"GET / HTTP/0.9\r\n\r\n", 505},
    {"GET * HTTP/1.1\r\nHost: a" REST, 400},
    {"GET a HTTP/1.1\r\nHost: a" REST, 400},
    {"GET a:80 HTTP/1.1\r\nHost: a" REST, 400},
    {"CONNECT a:80 HTTP/1.1\r\nHost: a" REST, 501},
    {"GET ftp://a/ HTTP/1.1\r\nHost: a" REST, 400},
    {"GET http:/a/ HTTP/1.1\r\nHost: a" REST, 400},
    {"GET http:///x HTTP/1.1\r\nHost: a" REST, 400},
    {"GET http://u@b/x HTTP/1.1\r\nHost: a" REST, 400},
    {"GET http://b:8x/ HTTP/1.1\r\nHost: a" REST, 400},
    /* Host */
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET http://b/ HTTP/1.1\r\n\r\n", 400},
    {HOST "Host: a\r\n\r\n", 400},
    {"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
    {GET "Host:\r\n\r\n", 400},
    {GET "Host: a b\r\n\r\n", 400},
    {GET "Host: a/b\r\n\r\n", 400},
    {GET "Host: a@b\r\n\r\n", 400},
    {GET "Host: a:b\r\n\r\n", 400},
    {GET "Host: a:1:2\r\n\r\n", 400},
    {GET "Host: :80\r\n\r\n", 400},
    {GET "Host: [::1\r\n\r\n", 400},
    {GET "Host: []\r\n\r\n", 400},
    {GET "Host: [::1]x\r\n\r\n", 400},
    {GET "Host: a%4\r\n\r\n", 400},
    {GET "Host: a\xff\r\n\r\n", 400},
    /* fields */
    {HOST "X : y\r\n\r\n", 400},
    {HOST "X\t: y\r\n\r\n", 400},
    {HOST "X y\r\n\r\n", 400},
    {HOST "X\r\n\r\n", 400},
    {HOST ": y\r\n\r\n", 400},
    {HOST "X@: y\r\n\r\n", 400},
    {HOST "X\xc3: y\r\n\r\n", 400},
    {HOST "X: a\x01\r\n\r\n", 400},
    {HOST "X: a\x7f\r\n\r\n", 400},
    {BYTES(HOST "X: a\0b\r\n\r\n"), .status = 400},
    {BYTES(HOST "X\0: a\r\n\r\n"), .status = 400},
    {HOST "Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\r\n\r\n", 400},
    /* framing */
    {POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
    {POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
    {POST "Content-Length: 1, 1\r\n\r\n", 400},
    {POST "Content-Length:\r\n\r\n", 400},
    {POST "Content-Length: +1\r\n\r\n", 400},
    {POST "Content-Length: -1\r\n\r\n", 400},
    {POST "Content-Length: 1 2\r\n\r\n", 400},
    {POST "Content-Length: 0x1\r\n\r\n", 400},
    {POST "Content-Length: 1.0\r\n\r\n", 400},
    {POST "Content-Length: 18446744073709551617\r\n\r\n", 400},
    {POST "Content-Length: 9999999999999999999\r\n\r\n", 400},
    {POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n", 400},
    {POST "Transfer-Encoding: gzip\r\n\r\n", 400},
    {POST "Transfer-Encoding: identity\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked,\r\n\r\n", 400},
    {POST "Transfer-Encoding: , chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding:\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked;a=b\r\n\r\n", 400},
    {POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 400},
    {POST "Transfer-Encoding: xchunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\x0b\r\n\r\n", 400},
    {POST "Transfer-Encoding : chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {POST "Expect: 200-ok\r\n\r\n", 417},
    {POST "Expect: 100-continue\r\nExpect: x\r\n\r\n", 417},
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
    struct http_parse parse;
    char bytes[4096];
};

static size_t length_of(const struct parse_case *c)
{
    return c->len ? c->len : strlen(c->bytes);
}

/* Feeds the first `cut` bytes, and then `step` bytes more at each call; the memory behind them is poisoned. */
static void feed(struct outcome *out, const char *bytes, size_t len, size_t cut, size_t step, uint32_t max)
{
    memset(out, 0, sizeof(*out));
    http_parse_init(&out->parse, max);
    for (size_t n = cut < len ? cut : len;; n = n + step < len ? n + step : len) {
        /* A copy of its own size, so that a sanitizer sees a byte read too far. */
        char *copy = malloc(n ? n : 1);
        assert_non_null(copy);
        memcpy(copy, out->bytes, n);
        memcpy(copy + out->parse.pos, bytes + out->parse.pos, n - out->parse.pos);
        out->status = http_parse_head(&out->parse, copy, n);
        memcpy(out->bytes, copy, n);
        free(copy);
        if (out->status != HTTP_PARSE_MORE || n == len) {
            return;
        }
    }
}

static void assert_same(const struct outcome *a, const struct outcome *b, const char *what)
{
    if (a->status != b->status) {
        fail_msg("%s: status %d, whole %d", what, b->status, a->status);
    }
    if (a->status == HTTP_PARSE_MORE) {
        return;
    }
    if (a->status != HTTP_PARSE_DONE) {
        assert_string_equal(a->parse.why, b->parse.why);
        return;
    }
    assert_int_equal(a->parse.pos, b->parse.pos);
    assert_int_equal(a->parse.head.field_count, b->parse.head.field_count);
    assert_memory_equal(a->bytes, b->bytes, a->parse.pos);
    assert_memory_equal(&a->parse.head, &b->parse.head, offsetof(struct http_head, fields));
}

static void assert_span(const struct outcome *out, struct http_span span, const char *text)
{
    assert_int_equal(span.len, strlen(text));
    assert_memory_equal(out->bytes + span.at, text, span.len);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct parse_case *c = &cases[i];
        struct outcome whole, parts;
        size_t len = length_of(c);
        feed(&whole, c->bytes, len, len, 1, MAX);
        if (whole.status != c->status) {
            fail_msg("case %zu (%s): status %d (%s), expected %d", i, c->bytes, whole.status,
                     whole.parse.why ? whole.parse.why : "", c->status);
        }
        if (c->path) {
            assert_span(&whole, whole.parse.head.path, c->path);
        }
        if (c->authority) {
            assert_span(&whole, whole.parse.head.authority, c->authority);
        }
        feed(&parts, c->bytes, len, 0, 1, MAX);
        assert_same(&whole, &parts, c->bytes);
        for (size_t cut = 1; cut < len; cut++) {
            feed(&parts, c->bytes, len, cut, len, MAX);
            assert_same(&whole, &parts, c->bytes);
        }
    }
}

/* A head of exactly `size` bytes whose request line, or whose field, is as long as that takes. */
static size_t sized(char *room, size_t size, int in_line)
{
    static const char tail[] = " HTTP/1.1\r\nHost: a\r\nX: ";
    size_t fill = size - 5 - (sizeof(tail) - 1) - 4, at = 5;
    memcpy(room, "GET /", 5);
    if (in_line) {
        memset(room + at, 'x', fill);
        at += fill;
    }
    memcpy(room + at, tail, sizeof(tail) - 1);
    at += sizeof(tail) - 1;
    if (!in_line) {
        memset(room + at, 'x', fill);
        at += fill;
    }
    memcpy(room + at, "\r\n\r\n", 4);
    return at + 4;
}

static void test_limits(void **state)
{
    static const struct {
        size_t size;
        int in_line, status;
    } sizes[] = {{200, 0, OK},  {200, 1, OK},  {201, 0, 431}, {201, 1, 431},
                 {230, 1, 414}, {999, 1, 414}, {999, 0, 431}};
    char bytes[1024];
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct outcome whole, parts;
        size_t len = sized(bytes, sizes[i].size, sizes[i].in_line);
        assert_int_equal(len, sizes[i].size);
        feed(&whole, bytes, len, len, 1, 200);
        if (whole.status != sizes[i].status) {
            fail_msg("size %zu: status %d, expected %d", len, whole.status, sizes[i].status);
        }
        for (size_t step = 1; step < 250; step++) {
            feed(&parts, bytes, len, 0, step, 200);
            assert_same(&whole, &parts, "sized");
        }
    }
}

static void test_field_count(void **state)
{
    (void)state;
    for (int fields = HTTP_FIELDS_MAX; fields <= HTTP_FIELDS_MAX + 1; fields++) {
        struct outcome out;
        char bytes[1024] = HOST;
        for (int i = 1; i < fields; i++) {
            strcat(bytes, "a:b\r\n");
        }
        strcat(bytes, "\r\n");
        feed(&out, bytes, strlen(bytes), 0, 7, MAX);
        assert_int_equal(out.status, fields > HTTP_FIELDS_MAX ? 431 : OK);
    }
}

static void test_meaning(void **state)
{
    static const char text[] =
        "POST /p HTTP/1.1\r\nHost: h\r\nUser-Agent: u\r\nREFERER: r\r\n"
        "Connection: Keep-Alive, x-a, host\r\nX-A: 1\r\nConnection: x-B\r\nX-B: 2\r\n"
        "Content-Length: 12\r\nX-C:  3 \r\nTE: trailers\r\nExpect: 100-continue\r\n\r\n";
    struct outcome out;
    struct http_head *head = &out.parse.head;
    (void)state;
    feed(&out, text, sizeof(text) - 1, 0, 5, MAX);
    assert_int_equal(out.status, OK);
    assert_int_equal(out.parse.pos, sizeof(text) - 1);
    assert_span(&out, head->line, "POST /p HTTP/1.1");
    assert_span(&out, head->method, "POST");
    assert_span(&out, head->fields[head->user_agent].value, "u");
    assert_span(&out, head->fields[head->referer].value, "r");
    assert_span(&out, head->fields[8].name, "x-c");
    assert_span(&out, head->fields[8].value, "3");
    assert_int_equal(head->content_length, 12);
    assert_true(head->expect_continue && head->option_keep_alive && !head->option_close);
    assert_int_equal(head->fields[9].id, HTTP_FIELD_HOP);
    for (int i = 0; i < head->field_count; i++) {
        assert_int_equal(head->fields[i].drop, i == 4 || i == 6);
    }
}

/* Nothing is said of the result of a damaged head, but that it does not depend on how it was cut. */
static void test_mutations(void **state)
{
    static const char interesting[] = "\r\n \t:,;/%*?#[]@\x01\x7f\xff"
                                      "0aGH";
    uint32_t seed = 1;
    (void)state;
    for (int round = 0; round < 6000; round++) {
        const struct parse_case *c = &cases[random_below(&seed, sizeof(cases) / sizeof(cases[0]))];
        struct outcome whole, parts;
        char bytes[512];
        size_t cut, len = length_of(c);
        memcpy(bytes, c->bytes, len);
        for (uint32_t changes = 1 + random_below(&seed, 4); changes > 0 && len > 2; changes--) {
            size_t at = random_below(&seed, len);
            char byte = random_byte(&seed, interesting, sizeof(interesting));
            switch (random_below(&seed, 3)) {
            case 0:
                bytes[at] = byte;
                break;
            case 1:
                memmove(bytes + at + 1, bytes + at, len - at);
                bytes[at] = byte;
                len++;
                break;
            default:
                memmove(bytes + at, bytes + at + 1, len - at - 1);
                len--;
                break;
            }
        }
        feed(&whole, bytes, len, len, 1, 128);
        cut = random_below(&seed, len + 1);
        feed(&parts, bytes, len, cut, 1 + random_below(&seed, 9), 128);
        assert_same(&whole, &parts, "mutation");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),   cmocka_unit_test(test_limits),    cmocka_unit_test(test_field_count),
        cmocka_unit_test(test_meaning), cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
