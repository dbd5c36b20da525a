/*
 * Bad modules: each is refused by `lpm -t` and at start, in one line with its name, whatever its code does, and
 * nothing is left. (What exactly each refusal says, tests/abi knows.)
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "client.h"
#include "server.h"
#include "wait.h"

/* A good module before the bad one: the blame must be on the right one. */
static void conf_with(struct server *s, const char *name)
{
    server_conf(s,
                "load_module modules/lpm_http.so;\n"
                "load_module modules/lpm_hello.so;\n"
                "load_module abi/%s.so;\n"
                "http { listen 127.0.0.1:0; location / { handler hello; } }\n",
                name);
}

/* lpm has to end with status 1 and exactly one line, which names the module's file and holds `text`. */
static void check_refused(struct server *s, const char *name, const char *text)
{
    struct run run;
    char file[128];
    bool good;

    conf_with(s, name);
    server_command(s, &run, "-t", NULL);
    snprintf(file, sizeof(file), "lpm: module \"abi/%s.so\"", name);
    good = run_exit(&run) == 1 && strncmp(run.err, file, strlen(file)) == 0 &&
           strstr(run.err, text) != NULL && run_count(run.err, "\n") == 1;
    if (!good) {
        fail_msg("%s: status %#x, said: %s", name, (unsigned)run.status, run.err);
    }
    run_free(&run);
    server_check_clean(s);
}

/* The same when it is not a test but a start, which says it as its last line. */
static void check_not_started(struct server *s, const char *name, const char *text)
{
    struct run run;

    conf_with(s, name);
    server_command(s, &run, NULL);
    if (run_exit(&run) != 1 || strstr(run.err, text) == NULL || strstr(run.err, name) == NULL) {
        fail_msg("%s: status %#x, said: %s", name, (unsigned)run.status, run.err);
    }
    run_free(&run);
    server_check_clean(s);
}

static void test_crash(void **state)
{
    check_refused(*state, "ctor_crash", "died of SIGSEGV while it was loaded in conf/lpm.conf:5");
    check_not_started(*state, "ctor_crash", "died of SIGSEGV while it was loaded in conf/lpm.conf:5");
}

static void test_exit(void **state)
{
    check_refused(*state, "ctor_exit", "ended the process with exit status 0 while it was loaded");
    check_not_started(*state, "ctor_exit", "ended the process with exit status 0 while it was loaded");
}

static void test_hang(void **state)
{
    uint64_t limit = wait_until(9000), most = wait_until(16000);

    check_refused(*state, "ctor_hang", "did not finish loading within 10 s in conf/lpm.conf:5");
    assert_int_equal(wait_left(limit), 0);
    assert_int_not_equal(wait_left(most), 0);
}

static void test_hang_at_start(void **state)
{
    check_not_started(*state, "ctor_hang", "did not finish loading within 10 s");
}

/* While a constructor hangs, lpm can still be told to stop. */
static void test_stop_during_trial(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGQUIT, SIGKILL};
    struct server *s = *state;

    conf_with(s, "ctor_hang");
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        pid_t pids[SERVER_PIDS_MAX];
        uint64_t deadline = wait_until(5000);
        int trial;
        server_launch(s, NULL);
        while (server_pids(s, "trial", pids, SERVER_PIDS_MAX) == 0) {
            assert_false(wait_gone(s->pidfd, wait_until(5)));
            assert_int_not_equal(wait_left(deadline), 0);
        }
        trial = wait_open(pids[0]);
        assert_true(trial >= 0);
        server_signal(s, signals[i]);
        server_wait_exit(s, 5000);
        assert_true(wait_gone(trial, wait_until(1000)));
        if (signals[i] != SIGKILL) {
            server_check_clean(s);
        }
    }
}

/* Every one of tests/abi/bad that cannot pass a trial; those with a test of their own are left out. */
static void test_every_refusal(void **state)
{
    static const char *const other[] = {"ctor_hang",
                                        "conf_silent",
                                        "conf_refuses",
                                        "table_core",
                                        "worker_init_refuses",
                                        "supervisor_init_refuses",
                                        "twin_a",
                                        "twin_b"};
    struct server *s = *state;
    glob_t files;
    size_t checked = 0;

    assert_int_equal(glob(LPM_BUILD_DIR "/tests/abi/*.so", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        char name[128];
        bool skipped = false;
        snprintf(name, sizeof(name), "%s", strrchr(files.gl_pathv[i], '/') + 1);
        *strrchr(name, '.') = '\0';
        for (size_t k = 0; k < sizeof(other) / sizeof(*other); k++) {
            skipped = skipped || strcmp(name, other[k]) == 0;
        }
        if (!skipped) {
            check_refused(s, name, " in conf/lpm.conf:5");
            checked++;
        }
    }
    globfree(&files);
    assert_true(checked >= 20);
}

/* These say it in other words, as it is not the file that is wrong. */
static void test_refusals_of_the_configuration(void **state)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"conf_refuses", "lpm: it is always wrong to load \"modules/lpm_http.so\" in conf/lpm.conf:3\n"},
        {"conf_silent",
         "lpm: module \"conf_silent\" refused the configuration: its conf hook returned -77\n"},
        {"table_core",
         "lpm: module \"table_core\" declares the directive \"pid\" in \"main\", which is one of the core "
         "already\n"},
    };
    struct server *s = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct run run;
        conf_with(s, cases[i].name);
        server_command(s, &run, "-t", NULL);
        assert_string_equal(run.err, cases[i].text);
        assert_int_equal(run_exit(&run), 1);
        run_free(&run);
    }
}

static void test_twins(void **state)
{
    struct server *s = *state;
    struct run run;

    server_conf(s, "load_module abi/twin_a.so;\nload_module abi/twin_b.so;\n");
    server_command(s, &run, "-t", NULL);
    assert_int_equal(run_exit(&run), 1);
    assert_string_equal(
        run.err, "lpm: module \"abi/twin_b.so\": its name \"twin\" is that of module \"abi/twin_a.so\" "
                 "too in conf/lpm.conf:4\n");
    run_free(&run);
}

/* They pass the trial, which runs no init hooks, and then cannot start. */
static void test_init_hooks(void **state)
{
    check_not_started(*state, "worker_init_refuses", "worker_init returned -1");
    check_not_started(*state, "supervisor_init_refuses", "supervisor_init returned -1");
}

static void test_not_a_file(void **state)
{
    struct server *s = *state;
    struct run run;

    server_write(s, "conf/lpm.conf", "load_module modules/none.so;\n");
    server_command(s, &run, "-t", NULL);
    assert_int_equal(run_exit(&run), 1);
    assert_non_null(strstr(run.err, "modules/none.so"));
    assert_non_null(strstr(run.err, "in conf/lpm.conf:1"));
    run_free(&run);

    server_write(s, "text.so", "This is no shared object.\n");
    server_write(s, "conf/lpm.conf", "load_module text.so;\n");
    server_command(s, &run, "-t", NULL);
    assert_int_equal(run_exit(&run), 1);
    assert_non_null(strstr(run.err, "lpm: module \"text.so\""));
    run_free(&run);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_crash),
        TEST(test_exit),
        TEST(test_hang),
        TEST(test_hang_at_start),
        TEST(test_stop_during_trial),
        TEST(test_every_refusal),
        TEST(test_refusals_of_the_configuration),
        TEST(test_twins),
        TEST(test_init_hooks),
        TEST(test_not_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
