/*
 * The small pure parts of the ingress: dates, hosts, numbers, locations, buffers, lines of the access log.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http/http_buffer.h"
#include "http/http_conf.h"
#include "http/http_date.h"
#include "http/http_head.h"
#include "http/http_log.h"
#include "http/http_response.h"
#include "http/http_status.h"

static void test_date(void **state)
{
    struct http_date date = {0};
    (void)state;
    setenv("TZ", "XXX-05:30", 1);
    tzset();
    http_date_update(&date, 1795508031);
    assert_string_equal(date.header, "Tue, 24 Nov 2026 08:13:51 GMT");
    assert_string_equal(date.log, "24/Nov/2026:13:43:51 +0530");
    setenv("TZ", "XXX+03:30", 1);
    tzset();
    http_date_update(&date, 951782399);
    assert_string_equal(date.header, "Mon, 28 Feb 2000 23:59:59 GMT");
    assert_string_equal(date.log, "28/Feb/2000:20:29:59 -0330");
}

static void test_number(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        uint64_t value;
    } cases[] = {{"0", true, 0},
                 {"007", true, 7},
                 {"999999999999999999", true, UINT64_C(999999999999999999)},
                 {"", false, 0},
                 {"-1", false, 0},
                 {"1 ", false, 0},
                 {"1000000000000000000", false, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 0;
        assert_int_equal(http_number(cases[i].text, strlen(cases[i].text), &value), cases[i].valid);
        assert_int_equal(value, cases[i].value);
    }
}

static void test_statuses(void **state)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {{"", 200}, {"200", 200}, {"599", 599}, {"199", 0}, {"600", 0}, {"2x0", 0}, {"-200", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(http_response_status(lpm_slice_of(cases[i].text)), cases[i].status);
    }
    assert_string_equal(http_status_reason(404), "Not Found");
    assert_string_equal(http_status_reason(299), "Unknown");
}

static void test_match(void **state)
{
    struct http_location locations[] = {{.prefix = "/a/b", .prefix_len = 4},
                                        {.prefix = "/a", .prefix_len = 2},
                                        {.prefix = "/", .prefix_len = 1}};
    struct http_conf conf = {.locations = locations, .location_count = 3};
    static const struct {
        const char *path;
        int place;
    } cases[] = {{"/a/b", 0}, {"/a/bc/d", 0}, {"/a/", 1}, {"/ab", 1},
                 {"/", 2},    {"/%61", 2},    {"", -1},   {"*", -1}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct http_location *found = http_conf_match(&conf, cases[i].path, strlen(cases[i].path));
        assert_ptr_equal(found, cases[i].place < 0 ? NULL : &locations[cases[i].place]);
    }
}

static void test_buffer(void **state)
{
    struct http_stock stock;
    struct http_buffer b = {0};
    char part[1000];
    void *first;
    (void)state;
    http_stock_init(&stock, 4096);
    for (int i = 0; i < 50; i++) {
        memset(part, 'a' + i % 26, sizeof(part));
        assert_int_equal(http_buffer_add(&b, &stock, part, sizeof(part)), 0);
    }
    assert_int_equal(http_buffer_len(&b), 50000);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(b.data[b.start], 'a' + i % 26);
        b.start += sizeof(part);
    }
    /* what was taken makes room without growing */
    size_t size = b.size;
    assert_int_equal(http_buffer_add(&b, &stock, part, sizeof(part)), 0);
    assert_int_equal(b.size, size);
    http_buffer_release(&b, &stock);
    assert_null(http_buffer_reserve(&b, &stock, SIZE_MAX));
    /* a block of the stock's size comes back */
    assert_int_equal(stock.count, 1);
    first = stock.first;
    assert_ptr_equal(http_buffer_reserve(&b, &stock, 1), first);
    assert_int_equal(stock.count, 0);
    http_buffer_release(&b, &stock);
    http_stock_fini(&stock);
}

static void test_log_line(void **state)
{
    static char hostile[3 * HTTP_LOG_FIELD_MAX], line[65536];
    struct http_log_entry entry = {.remote = {"::1", 3},
                                   .request = {hostile, sizeof(hostile)},
                                   .referer = {hostile, sizeof(hostile)},
                                   .user_agent = {"", 0},
                                   .time = "T",
                                   .status = 400};
    size_t len;
    (void)state;
    memset(hostile, '\n', sizeof(hostile));
    len = (size_t)(http_log_format(line, &entry) - line);
    assert_true(len <= http_log_room(&entry) && http_log_room(&entry) <= HTTP_LOG_BUFFER);
    assert_memory_equal(line, "::1 - - [T] \"\\x0A\\x0A", 21);
    assert_memory_equal(line + len - 14, "\" \"-\" - - - -\n", 14);
    assert_ptr_equal(memchr(line, '\n', len), line + len - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_date),  cmocka_unit_test(test_number), cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_match), cmocka_unit_test(test_buffer), cmocka_unit_test(test_log_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
