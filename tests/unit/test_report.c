/*
 * The trial's records: what is written is read, in whatever pieces; what is none is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <string.h>
#include <unistd.h>

#include "ipc/report.h"

static void open_pipe(int fds[2])
{
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
}

static void test_roundtrip(void **state)
{
    struct report_reader reader = {.have = 0};
    struct report report;
    int fds[2];

    (void)state;
    open_pipe(fds);
    assert_int_equal(report_read(fds[0], &reader, 3, &report), 0);
    assert_int_equal(report_write(fds[1], REPORT_LOAD, 2, ""), 0);
    assert_int_equal(report_write(fds[1], REPORT_FAILED, 0, "it\nis bad"), 0);
    assert_int_equal(report_read(fds[0], &reader, 3, &report), 1);
    assert_int_equal(report.type, REPORT_LOAD);
    assert_int_equal(report.module, 2);
    assert_int_equal(report_read(fds[0], &reader, 3, &report), 1);
    assert_int_equal(report.type, REPORT_FAILED);
    assert_string_equal(report.text, "it?is bad");
    assert_int_equal(report_read(fds[0], &reader, 3, &report), 0);
    close(fds[1]);
    assert_int_equal(report_read(fds[0], &reader, 3, &report), LPM_EIO);
    close(fds[0]);
}

static void test_pieces(void **state)
{
    struct report_reader reader = {.have = 0};
    struct report report = {.type = REPORT_OK}, got;
    const char *bytes = (const char *)&report;
    int fds[2];

    (void)state;
    open_pipe(fds);
    for (size_t i = 0; i < sizeof(report); i++) {
        assert_int_equal(report_read(fds[0], &reader, 0, &got), 0);
        assert_int_equal(write(fds[1], bytes + i, 1), 1);
    }
    assert_int_equal(report_read(fds[0], &reader, 0, &got), 1);
    assert_int_equal(got.type, REPORT_OK);
    close(fds[0]);
    assert_true(close(fds[1]) == 0);
}

static void test_hostile(void **state)
{
    static const struct {
        uint32_t type, module;
        int rc;
    } rows[] = {
        {REPORT_NONE, 0, LPM_EPROTO},
        {REPORT_TYPE_END, 0, LPM_EPROTO},
        {UINT32_MAX, 0, LPM_EPROTO},
        {REPORT_LOAD, 1, LPM_EPROTO},
        {REPORT_LOAD, UINT32_MAX, LPM_EPROTO},
        {REPORT_CONF_HOOK, 1, LPM_EPROTO},
        {REPORT_LOAD, 0, 1},
        {REPORT_OK, 7, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct report_reader reader = {.have = 0};
        struct report report, got;
        int fds[2];

        open_pipe(fds);
        memset(&report, 'x', sizeof(report)); /* the text has no end */
        report.type = rows[i].type;
        report.module = rows[i].module;
        assert_int_equal(write(fds[1], &report, sizeof(report)), sizeof(report));
        assert_int_equal(report_read(fds[0], &reader, 1, &got), rows[i].rc);
        assert_int_equal(strlen(got.text), sizeof(got.text) - 1);
        close(fds[0]);
        close(fds[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roundtrip),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
