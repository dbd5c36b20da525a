/*
 * Bad use of the ABI by a module, on a real server: each gives the error that lpm/module.h names, the log names the module and
 * the call, and nobody dies of it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <lpm/module.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "server.h"

/* The call that the log is to name; what it gave. */
static const struct {
    const char *order, *call;
    int code;
} rows[] = {
    {"respond-twice", "lpm_respond_header", LPM_EDONE}, /* as lpm_respond_text() begins with that */
    {"ack-then-respond", "lpm_respond", LPM_EDONE},
    {"respond-then-ack", "lpm_ack", LPM_EDONE},
    {"keep", NULL, 0},
    {"header-of-freed", "lpm_respond_header", LPM_EDONE},
    {"respond-freed", "lpm_respond", LPM_EDONE},
    {"watch-freed", "lpm_request_on_cancel", LPM_EDONE},
    {"stream-to-freed", "lpm_respond_stream", LPM_EDONE},
    {"null-header", "lpm_respond_header", LPM_EINVAL},
    {"null-value", "lpm_respond_header", LPM_EINVAL},
    {"null-text", "lpm_respond", LPM_EINVAL},
    {"null-data", "lpm_respond", LPM_EINVAL},
    {"respond-two-gib", "lpm_respond", LPM_ETOOBIG},
    {"respond-over-limit", "lpm_respond", LPM_ETOOBIG},
    {"headers-over-limit", "lpm_respond_header", LPM_ETOOBIG},
    {"stream-of-none", "lpm_respond_stream", LPM_EINVAL},
    {"emit-null", "lpm_worker_emit", LPM_EINVAL},
    {"emit-own-of-lpm", "lpm_worker_emit", LPM_EINVAL},
    {"emit-two-gib", "lpm_worker_emit", LPM_ETOOBIG},
    {"call-null", "lpm_worker_call", LPM_EINVAL},
    {"call-nobody", "lpm_worker_call", LPM_ENOHANDLER},
    {"call-a-stranger", "lpm_worker_call", LPM_EINVAL},
    {"call-with-socket", "lpm_worker_call", LPM_EINVAL},
    {"call-two-gib", "lpm_worker_call", LPM_ETOOBIG},
    {"on-null", "lpm_worker_on", LPM_EINVAL},
    {"once-without-function", "lpm_worker_once", LPM_EINVAL},
    {"off-nothing", "lpm_worker_off", LPM_EINVAL},
    {"done-before-soft-kill", "lpm_worker_soft_kill_done", LPM_EROLE},
    {"enqueue-for-nobody", "lpm_supervisor_enqueue", LPM_ENOHANDLER},
    {"enqueue-for-null", "lpm_supervisor_enqueue", LPM_ENOHANDLER},
    {"enqueue-for-another", "lpm_supervisor_enqueue", LPM_EINVAL},
    {"enqueue-two-gib", "lpm_supervisor_enqueue", LPM_ETOOBIG},
    {"enqueue-over-limit", "lpm_supervisor_enqueue", LPM_ETOOBIG},
    {"enqueue-null-header", "lpm_supervisor_enqueue", LPM_EINVAL},
    {"enqueue-null", "lpm_supervisor_enqueue", LPM_EINVAL},
    {"broadcast-null", "lpm_supervisor_broadcast", LPM_EINVAL},
    {"broadcast-nowhere", "lpm_supervisor_broadcast", LPM_EINVAL},
    {"broadcast-two-gib", "lpm_supervisor_broadcast", LPM_ETOOBIG},
    {"listen-to-null", "lpm_supervisor_on", LPM_EINVAL},
    {"resize-to-none", "lpm_supervisor_resize", LPM_EINVAL},
    {"done-in-the-bus", "lpm_supervisor_soft_kill_done", LPM_EROLE},
    {"answer-event-twice", "lpm_respond", LPM_EDONE},
    {"event-with-stream", "lpm_respond_stream", LPM_EROLE},
    {"event-two-gib", "lpm_respond", LPM_ETOOBIG},
};

static void start(struct server *s)
{
    server_conf(s, SERVER_MODULES "load_module tmodules/misuse.so;\n"
                                  "http { listen 127.0.0.1:0; location / { handler misuse; } }\n");
    server_start(s, NULL);
}

static void give(struct server *s, const char *order)
{
    struct response r;

    server_mark(s);
    assert_int_equal(client_once(server_port(s), "POST", "/", "", order, strlen(order), &r), 200);
    client_forget(&r);
}

static void expect(struct server *s, const char *order, const char *call, int code)
{
    char text[128];

    snprintf(text, sizeof(text), "%s gave %d", order, code);
    server_wait_log(s, text, 5000);
    if (call) {
        snprintf(text, sizeof(text), "module \"misuse\": %s() ", call);
        server_wait_log(s, text, 5000);
    }
}

static void test_each(void **state)
{
    struct server *s = *state;
    pid_t before[SERVER_PIDS_MAX], after[SERVER_PIDS_MAX];

    start(s);
    assert_int_equal(server_pids(s, "worker", before, SERVER_PIDS_MAX), 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        give(s, rows[i].order);
        expect(s, rows[i].order, rows[i].call, rows[i].code);
    }
    assert_int_equal(server_pids(s, "worker", after, SERVER_PIDS_MAX), 1);
    assert_int_equal(before[0], after[0]);
    server_stop(s);
}

static void test_close_of_a_socket_twice(void **state)
{
    struct server *s = *state;

    start(s);
    give(s, "hand-over");
    expect(s, "close-twice", "lpm_socket_close", LPM_EINVAL);
    server_stop(s);
    assert_int_equal(server_log_count(s, "died of"), 0);
}

static void test_emit_after_hard_kill(void **state)
{
    struct server *s = *state;

    start(s);
    server_mark(s);
    server_stop(s);
    expect(s, "emit-after-hard-kill", "lpm_worker_emit", LPM_ESHUTDOWN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each),
        TEST(test_close_of_a_socket_twice),
        TEST(test_emit_after_hard_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
