/*
 * core/crash/crash_read, crash_text: reports of all kinds, the true ones and the forged.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash/crash_read.h"
#include "crash/crash_text.h"

static struct role_crash_report *new_report(void)
{
    struct role_crash_report *report = calloc(1, sizeof(*report));
    assert_non_null(report);
    report->written = ROLE_CRASH_ALL;
    return report;
}

static void add_header(struct role_crash_report *report, const char *name, const char *value)
{
    lpm_slice n = lpm_slice_of(name), v = lpm_slice_of(value);
    char *end = frame_header_encode(report->headers + report->headers_len, n, v);
    report->headers_len = (uint32_t)(end - report->headers);
}

/* -- Reading ------------------------------------------------------------------------------------------ */

static void test_forged(void **state)
{
    struct role_crash_report *raw = new_report(), *out = new_report();

    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        lpm_header header;
        size_t cursor = 0, count = 0;
        memset(raw, byte, sizeof(*raw));
        crash_read(out, raw);
        assert_in_range(out->register_count, 0, ROLE_CRASH_REGISTERS);
        assert_in_range(out->frame_count, 0, ROLE_CRASH_FRAMES);
        assert_in_range(out->object_count, 0, ROLE_CRASH_OBJECTS);
        assert_true(strlen(out->id) < sizeof(out->id));
        for (uint32_t i = 0; i < out->object_count; i++) {
            assert_true(strlen(out->objects[i].path) < ROLE_CRASH_PATH);
            for (const char *p = out->objects[i].path; *p; p++) {
                assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
            }
        }
        while (crash_read_header(out, &cursor, &header)) {
            assert_true(header.name.data >= out->headers);
            assert_true(header.value.data + header.value.len <= out->headers + ROLE_CRASH_HEADERS);
            assert_true(++count <= ROLE_CRASH_HEADERS / 8);
        }
    }
    free(raw);
    free(out);
}

static void test_parts(void **state)
{
    struct role_crash_report *raw = new_report(), *out = new_report();

    (void)state;
    raw->number = SIGSEGV;
    raw->pc = 77;
    raw->register_count = raw->object_count = 2;
    raw->frame_count = 5;
    memset(raw->id, 'i', sizeof(raw->id) - 1);
    add_header(raw, "a", "b");
    for (uint32_t part = 0; part <= ROLE_CRASH_ALL; part++) {
        raw->written = part;
        crash_read(out, raw);
        assert_int_equal(out->number, part >= ROLE_CRASH_SIGNAL ? SIGSEGV : 0);
        assert_int_equal(out->register_count, part >= ROLE_CRASH_SIGNAL ? 2 : 0);
        assert_int_equal(out->id[0], part >= ROLE_CRASH_REQUEST ? 'i' : 0);
        assert_int_equal(out->headers_len > 0, part >= ROLE_CRASH_REQUEST);
        assert_int_equal(out->frame_count, part >= ROLE_CRASH_STACK ? 5 : part >= ROLE_CRASH_SIGNAL);
        assert_int_equal(out->object_count, part >= ROLE_CRASH_ALL ? 2 : 0);
    }
    /* Without a stack there is still where it was. */
    raw->written = ROLE_CRASH_REQUEST;
    crash_read(out, raw);
    assert_int_equal(out->frames[0], 77);
    free(raw);
    free(out);
}

/* Cut anywhere: what is whole is there, and nothing behind the end is read. */
static void test_cut_headers(void **state)
{
    struct role_crash_report *raw = new_report();
    uint32_t whole;

    (void)state;
    add_header(raw, ":method", "GET");
    add_header(raw, "host", "example.org");
    whole = raw->headers_len;
    for (uint32_t len = 0; len <= whole; len++) {
        struct role_crash_report *out = new_report();
        lpm_header header;
        size_t cursor = 0, count = 0;
        raw->headers_len = len;
        crash_read(out, raw);
        while (crash_read_header(out, &cursor, &header)) {
            assert_true(header.value.data + header.value.len <= out->headers + len);
            count++;
        }
        assert_true(count <= 2);
        assert_true(len < whole || count == 2);
        free(out);
    }
    free(raw);
}

static void test_objects(void **state)
{
    struct role_crash_report *report = new_report();

    (void)state;
    report->object_count = 2;
    report->objects[0] = (struct role_crash_object){.base = 100, .end = 200};
    report->objects[1] = (struct role_crash_object){.base = 300, .end = 400};
    assert_null(crash_read_object(report, 99));
    assert_ptr_equal(crash_read_object(report, 100), &report->objects[0]);
    assert_ptr_equal(crash_read_object(report, 199), &report->objects[0]);
    assert_null(crash_read_object(report, 200));
    assert_ptr_equal(crash_read_object(report, 300), &report->objects[1]);
    free(report);
}

/* -- Words -------------------------------------------------------------------------------------------- */

static void test_signals(void **state)
{
    static const struct {
        int number, code;
        uint64_t address, sp;
        const char *text;
    } cases[] = {
        {SIGSEGV, SEGV_MAPERR, 16, 0x7000000, "SIGSEGV at address 0x10, where nothing is mapped"},
        {SIGSEGV, SEGV_ACCERR, 16, 0x7000000, "SIGSEGV at address 0x10, which does not allow it"},
        {SIGSEGV, SEGV_ACCERR, 0x6fffff8, 0x7000000,
         "SIGSEGV at address 0x6fffff8, beside its stack pointer: the stack is used up"},
        {SIGFPE, FPE_INTDIV, 0x55, 0, "SIGFPE at address 0x55"},
        {SIGABRT, SI_TKILL, 0x55, 0, "SIGABRT"},
        {SIGSEGV, SI_USER, 0x55, 0, "SIGSEGV, which was sent and not caused by an instruction"},
        {999, 1, 1, 0, "signal 999 at address 0x1"},
    };
    struct role_crash_report *report = new_report();
    char room[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        report->number = cases[i].number;
        report->code = cases[i].code;
        report->address = cases[i].address;
        report->sp = cases[i].sp;
        assert_string_equal(crash_text_signal(report, room, sizeof(room)), cases[i].text);
    }
    free(report);
}

static void test_header_words(void **state)
{
    static const struct {
        const char *name, *value, *text;
    } cases[] = {
        {"host", "example.org", "host: example.org"},
        {"accept", "a\r\n\x1b[0m", "accept: a???[0m"},
        {"authorization", "Basic eHg6eHg=", "authorization: ***"},
        {"Proxy-Authorization", "x", "Proxy-Authorization: ***"},
        {"cookie", "a=b", "cookie: ***"},
        {"set-cookie", "a=b", "set-cookie: ***"},
        {"x-api-key", "k", "x-api-key: ***"},
        {"X-Auth-Token", "k", "X-Auth-Token: ***"},
        {"x-csrf-token", "k", "x-csrf-token: ***"},
        {"x-amz-security-token", "k", "x-amz-security-token: ***"},
        {"x-client-secret", "k", "x-client-secret: ***"},
        {":remote", "127.0.0.1", ""},
        {"", "x", ""},
    };
    char room[512], value[400];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lpm_header header = {lpm_slice_of(cases[i].name), lpm_slice_of(cases[i].value)};
        assert_string_equal(crash_text_header(&header, room, sizeof(room)), cases[i].text);
    }
    memset(value, 'v', sizeof(value));
    lpm_header header = {lpm_slice_of("a"), {value, sizeof(value)}};
    assert_int_equal(strlen(crash_text_header(&header, room, sizeof(room))), strlen("a: ") + 128 + 3);
    assert_int_equal(strlen(crash_text_header(&header, room, 10)), 9);
}

static void test_targets(void **state)
{
    static const struct {
        const char *method, *path, *text;
    } cases[] = {
        {"GET", "/", "GET /"},
        {"GET", "/a?b=c&d", "GET /a?b=c&d"},
        {"GET", "/a?token=1&b=2", "GET /a?token=***&b=2"},
        {"GET", "/a?b=2&Api_Key=1=2", "GET /a?b=2&Api_Key=***"},
        {"GET", "/a?password", "GET /a?password"},
        {"GET", "/token=5?x=1", "GET /token=5?x=1"},
        {"GET", "/\x01\x7f?", "GET /???"},
        {"", "/a", "/a"},
    };
    char room[128];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct role_crash_report *report = new_report();
        add_header(report, ":method", cases[i].method);
        add_header(report, ":path", cases[i].path);
        assert_string_equal(crash_text_target(report, room, sizeof(room)), cases[i].text);
        free(report);
    }
}

static void test_registers(void **state)
{
    struct role_crash_report *report = new_report();
    char room[512];
    size_t rows = 0;

    (void)state;
    report->register_count = ROLE_CRASH_REGISTERS;
    memset(report->registers, 0xab, sizeof(report->registers));
    for (uint32_t next = 0; crash_text_registers(report, &next, room, sizeof(room))[0]; rows++) {
        assert_non_null(strstr(room, "=abababababababab"));
    }
    assert_in_range(rows, 2, 6);
    free(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forged),  cmocka_unit_test(test_parts),
        cmocka_unit_test(test_objects), cmocka_unit_test(test_cut_headers),
        cmocka_unit_test(test_signals), cmocka_unit_test(test_header_words),
        cmocka_unit_test(test_targets), cmocka_unit_test(test_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
