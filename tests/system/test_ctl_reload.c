/*
 * `lpmctl reload`: it waits, and tells what became of it; `lpmctl status` tells it later.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "build.h"
#include "client.h"
#include "ctl.h"
#include "fail.h"
#include "misdeed.h"
#include "server.h"

#define MODULES  SERVER_MODULES SERVER_MISDEED "load_module own/build.so;\n"
#define ASKERS   8
#define LIMIT_MS 60000

static void configure(struct server *s, const char *main, const char *worker)
{
    server_conf(s,
                MODULES "%s\nworker { %s }\n"
                        "http { listen 127.0.0.1:0; location / { handler build; }\n"
                        "       location /misdeed { handler misdeed; } }\n",
                main, worker);
}

static void start(struct server *s, const char *main, const char *worker)
{
    build_make(s, "ok", "one");
    configure(s, main, worker);
    server_start(s, NULL);
}

static void check_answer(const struct server *s, const char *text)
{
    struct response r;

    assert_int_equal(client_get(server_port(s), "/", &r), 200);
    assert_string_equal(r.body, text);
    client_forget(&r);
}

/* Waits for lpmctl: its exit status, and what it says on standard output and standard error. */
static void finish(struct run *run, int status, const char *out, const char *err)
{
    run_finish(run, LIMIT_MS);
    if (run_exit(run) != status || !strstr(run->out, out) || !strstr(run->err, err)) {
        fail_test("lpmctl: status %d, expected %d; \"%s\", expected \"%s\"; \"%s\", expected \"%s\"",
                  run_exit(run), status, run->out, out, run->err, err);
    }
    run_free(run);
}

static void check_ctl(const struct server *s, const char *word, const char *more, int status, const char *out,
                      const char *err)
{
    struct run run;

    ctl_start(&run, s, word, more, NULL);
    finish(&run, status, out, err);
}

/* When it returns, nothing that is sent is answered by the old generation any more. */
static void test_success(void **state)
{
    struct server *s = *state;

    start(s, "", "");
    for (int i = 2; i < 5; i++) {
        char name[32], text[64];
        snprintf(name, sizeof(name), "build-%d", i);
        snprintf(text, sizeof(text), "generation %d serves\n", i);
        build_make(s, "ok", name);
        check_ctl(s, "reload", NULL, 0, text, "");
        check_answer(s, name); /* at once */
        server_wait_log_count(s, "lpmctl: reload", (size_t)i - 1, CTL_MS);
        server_wait_log(s, "generation 1 has ended", CTL_MS);
    }
    check_ctl(s, "reload", "--json", 0, "{\"ok\":true,\"generation\":5}\n", "");
    server_stop(s);
}

static void test_failures(void **state)
{
    static const struct {
        const char *how, *main, *why;
    } rows[] = {
        {"ok", "wokers 5;", "unknown directive \"wokers\" in conf/lpm.conf:"},
        {"refuse", "",
         "exited with status 3 before it was online, in the init hook of module \"own/build.so\""},
        {"bus", "", "died of SIGABRT before it was online, in the online hook of module \"own/build.so\""},
    };
    struct server *s = *state;
    char text[512], json[512];

    start(s, "", "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        build_make(s, rows[i].how, "two");
        configure(s, rows[i].main, "");
        check_ctl(s, "reload", NULL, 1, "", rows[i].why);
        /* What lpmctl says is what the log says, and what it says again when it is asked later. */
        server_wait_log(s, rows[i].why, CTL_MS);
        snprintf(text, sizeof(text), "reload failed, generation 1 goes on: %.300s",
                 strstr(server_wait_log_count(s, "reload failed", i + 1, CTL_MS), "goes on: ") + 9);
        check_ctl(s, "status", NULL, 0, text, "");
        check_answer(s, "one");
    }
    snprintf(json, sizeof(json),
             "\"code\":\"LPM_ECONF\",\"error\":\"reload failed, generation 1 goes on: bus");
    check_ctl(s, "reload", "--json", 1, json, "");
    build_make(s, "ok", "two");
    check_ctl(s, "reload", NULL, 0, "serves", "");
    check_ctl(s, "status", "--json", 0, "\"pools\":", "");
    server_mark(s);
    {
        struct run run;
        ctl_start(&run, s, "status", NULL);
        run_finish(&run, LIMIT_MS);
        assert_null(strstr(run.out, "failed")); /* it is over */
        run_free(&run);
    }
    server_stop(s);
}

/* Many at once are answered by few reloads; those whose bus is retired before theirs has begun ask the next one. */
static void test_many(void **state)
{
    struct server *s = *state;
    struct run runs[ASKERS];
    struct response r;

    start(s, "", "");
    build_make(s, "ok", "two");
    for (int i = 0; i < ASKERS; i++) {
        ctl_start(&runs[i], s, "reload", NULL);
        assert_int_equal(client_get(server_port(s), "/", &r), 200);
        client_forget(&r);
    }
    for (int i = 0; i < ASKERS; i++) {
        finish(&runs[i], 0, " serves\n", "");
    }
    assert_in_range(server_log_count(s, " is online: generation"), 1 + 1, 1 + 3);
    check_answer(s, "two");
    server_stop(s);
}

/* The bus dies while the reload goes on: whoever serves next is asked again. */
static void test_bus_dies(void **state)
{
    struct server *s = *state;
    struct run run;

    start(s, "", "ready_timeout 2s;");
    build_make(s, "never", "two");
    server_mark(s);
    ctl_start(&run, s, "reload", NULL);
    server_wait_log(s, "lpmctl: reload", CTL_MS);
    kill(server_pid(s, "bus gen 1"), SIGKILL);
    server_wait_log(s, "is online: generation", CTL_MS);
    check_answer(s, "one");
    finish(&run, 1, "", "waiting to hear that it is ready from module \"own/build.so\"");
    server_stop(s);
}

/* lpm ends while somebody waits. */
static void test_lpm_ends(void **state)
{
    struct server *s = *state;
    struct run run;

    start(s, "", "ready_timeout 20s;");
    build_make(s, "never", "two");
    server_mark(s);
    ctl_start(&run, s, "reload", NULL);
    server_wait_log(s, "lpmctl: reload", CTL_MS);
    server_stop(s);
    run_finish(&run, LIMIT_MS);
    assert_in_range(run_exit(&run), 1, 3); /* "lpm ends", or it is not there any more */
    run_free(&run);
}

/* What went wrong after lpmctl had been told that all is well is in the status, of the one that fails and of the next. */
static void test_status_tells_of_rollback(void **state)
{
    static const char text[] = "generation 2 failed on probation, lpm goes back to what ran before it: ";
    struct server *s = *state;

    start(s, "probation 1m;", "restarts 0;");
    build_make(s, "request", "two");
    check_ctl(s, "reload", NULL, 0, "generation 2 serves\n", "");
    server_mark(s);
    while (server_log_count(s, "failed on probation") == 0) {
        client_get(server_port(s), "/", NULL);
    }
    check_ctl(s, "status", NULL, 0, text, "");
    server_wait_log(s, "is online: generation 3", CTL_MS);
    check_ctl(s, "status", NULL, 0, text, "");
    check_ctl(s, "status", "--json", 0, "\"trouble\":\"generation 2 failed on probation", "");
    check_answer(s, "one");
    server_stop(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_success),  TEST(test_failures), TEST(test_many),
        TEST(test_bus_dies), TEST(test_lpm_ends), TEST(test_status_tells_of_rollback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
