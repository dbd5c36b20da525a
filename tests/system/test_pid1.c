/*
 * lpm as the first process of a container: it obeys signals, and buries whoever is left to it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "ctl.h"
#include "misdeed.h"
#include "server.h"
#include "wait.h"

#define CONF                                                                     \
    SERVER_MODULES SERVER_MISDEED "worker { count 2; }\n"                        \
                                  "http {\n"                                     \
                                  "    listen 127.0.0.1:0;\n"                    \
                                  "    location /hello { handler hello; }\n"     \
                                  "    location /misdeed { handler misdeed; }\n" \
                                  "}\n"

static const char *const container[] = {"unshare", "--pid", "--fork", "--mount-proc", "--kill-child", NULL};

/* Can this machine make one? */
static void need_container(void)
{
    const char *argv[] = {"unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "true", NULL};
    struct run run;

    run_command(&run, 30000, argv);
    if (run_exit(&run) != 0) {
        print_message("no container can be made here: %s\n", run.err);
        run_free(&run);
        skip();
    }
    run_free(&run);
}

/* In a container, whose master is returned as it is called outside. */
static pid_t start(struct server *s)
{
    char path[4200], *text;

    need_container();
    server_conf(s, CONF);
    s->wrapper = container;
    server_start(s, NULL);
    text = run_read_file(server_path(s, "run/lpm.pid", path, sizeof(path)));
    assert_non_null(text);
    assert_int_equal(atoi(text), 1);
    free(text);
    return server_pid(s, "master");
}

static void check_end(struct server *s)
{
    int status = server_wait_exit(s, SERVER_STOP_MS);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    server_check_clean(s);
}

/* The kernel gives the first process no signal that it has not asked for. */
static void test_signals(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGQUIT};
    struct server *s = *state;

    for (size_t i = 0; i < 3; i++) {
        pid_t master = start(s);
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
        kill(master, SIGHUP);
        server_wait_log(s, "is online: generation 2", SERVER_START_MS);
        kill(master, SIGUSR1);
        server_wait_log(s, "the logs are reopened", SERVER_START_MS);
        kill(master, signals[i]);
        check_end(s);
        assert_int_equal(server_log_count(s, "soft kill") + server_log_count(s, "hard kill"), 1);
    }
}

/* Is there still something of that number, if only to be buried? */
static bool is_there(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

/* Whoever loses its parent becomes a child of the first process; it does not stay as a zombie. */
static void test_orphans(void **state)
{
    struct server *s = *state;
    pid_t before[SERVER_PIDS_MAX], after[SERVER_PIDS_MAX], orphan = 0, master = start(s);
    size_t count = server_pids(s, NULL, before, SERVER_PIDS_MAX), more;
    uint64_t deadline;

    assert_int_equal(client_get(server_port(s), MISDEED("orphan"), NULL), 200);
    more = server_pids(s, NULL, after, SERVER_PIDS_MAX);
    assert_int_equal(more, count + 1);
    for (size_t i = 0; i < more; i++) {
        bool known = false;
        for (size_t k = 0; k < count; k++) {
            known = known || before[k] == after[i];
        }
        orphan = known ? orphan : after[i];
    }
    kill(orphan, SIGKILL);
    for (deadline = wait_until(5000); is_there(orphan) && wait_left(deadline) > 0;) {
        poll(NULL, 0, 5);
    }
    assert_false(is_there(orphan));
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    assert_int_equal(server_log_count(s, "died of"), 0); /* it was nobody that lpm knows */
    kill(master, SIGTERM);
    check_end(s);
}

/* The command line and lpmctl, from within. */
static void test_commands(void **state)
{
    struct server *s = *state;

    start(s);
    ctl(s, 0, "", "reopen", NULL);
    ctl(s, 0, "", "soft-kill", NULL);
    check_end(s);
}

static void test_background(void **state)
{
    struct server *s = *state;
    struct run run;

    need_container();
    s->wrapper = container;
    server_conf(s, "daemon on;\n" CONF);
    server_command(s, &run, NULL);
    assert_int_equal(run_exit(&run), 1);
    assert_non_null(strstr(run.err, "the first process of a container cannot go to the background"));
    run_free(&run);
}

/* The first process must not end before the container does: it stays, and stands for the new master. */
static void test_upgrade(void **state)
{
    struct server *s = *state;
    pid_t master = start(s);

    kill(master, SIGUSR2);
    server_wait_log(s, "is online, this one serves beside it", SERVER_START_MS);
    kill(master, SIGQUIT);
    server_wait_log(s, "the old master (pid 1) has gone", SERVER_START_MS);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    kill(master, SIGHUP);
    server_wait_log(s, "is online: generation 2", SERVER_START_MS);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    kill(master, SIGTERM);
    check_end(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_signals),
        TEST(test_orphans),
        TEST(test_commands),
        TEST(test_background),
        TEST(test_upgrade),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
