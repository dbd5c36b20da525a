/*
 * The ends: TERM and INT at once, QUIT with all answers given, the hooks of modules, and nothing left behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client.h"
#include "misdeed.h"
#include "server.h"
#include "wait.h"

static void start(struct server *s, const char *worker)
{
    server_conf(s,
                SERVER_MODULES SERVER_MISDEED "worker { %s }\n"
                                              "http {\n"
                                              "    listen 127.0.0.1:0;\n"
                                              "    location /hello { handler hello; }\n"
                                              "    location /misdeed { handler misdeed; }\n"
                                              "}\n",
                worker);
    server_start(s, NULL);
}

/* The master must end with status 0 in time, and leave nothing. */
static void check_end(struct server *s, int timeout_ms)
{
    assert_int_equal(server_wait_exit(s, timeout_ms), 0);
    server_check_clean(s);
}

/* Sends a request and makes sure that its handler was given it: a second one on another connection is answered
 * after it was queued. */
static void send_slow(struct server *s, struct client *c, const char *target)
{
    client_open(c, server_port(s));
    client_request(c, "GET", target, "", "", 0);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
}

static void test_hard(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};
    struct server *s = *state;

    for (size_t i = 0; i < 2; i++) {
        struct client c;
        start(s, "count 2;");
        send_slow(s, &c, MISDEED_SLEEP("20000"));
        server_signal(s, signals[i]);
        check_end(s, 4000);
        client_readable(&c, 1000);
        client_close(&c);
    }
}

static void test_quit_answers_all(void **state)
{
    enum { CLIENTS = 6 };
    struct server *s = *state;
    struct client clients[CLIENTS], idle;

    start(s, "count 1; concurrency 1;");
    client_open(&idle, server_port(s));
    client_request(&idle, "GET", "/hello", "", "", 0);
    assert_int_equal(client_status(&idle, CLIENT_MS), 200);
    for (size_t i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], server_port(s));
        client_request(&clients[i], "GET", MISDEED_SLEEP("150"), "", "", 0);
    }
    /* The first answer: by then all of them were taken in. */
    assert_int_equal(client_status(&clients[0], CLIENT_MS), 200);
    server_signal(s, SIGQUIT);
    assert_true(client_closed(&idle, 3000));
    for (size_t i = 1; i < CLIENTS; i++) {
        assert_int_equal(client_status(&clients[i], CLIENT_MS), 200);
        assert_true(client_closed(&clients[i], CLIENT_MS));
        client_close(&clients[i]);
    }
    client_close(&clients[0]);
    client_close(&idle);
    check_end(s, 5000);
    assert_int_equal(server_log_count(s, "died of"), 0);
}

static void test_quit_refuses_new(void **state)
{
    struct server *s = *state;
    struct client slow, new;
    uint64_t deadline;
    int error;

    start(s, "count 2;");
    send_slow(s, &slow, MISDEED_SLEEP("2000"));
    deadline = wait_until(1500);
    server_signal(s, SIGQUIT);
    /* At a pace that fills no backlog; one that comes while the listeners are being closed is reset. */
    while ((error = client_try_open(&new, server_port(s))) == 0 || error == ECONNRESET) {
        if (error == 0) {
            client_close(&new);
        }
        assert_false(wait_gone(s->pidfd, wait_until(20)));
        assert_int_not_equal(wait_left(deadline), 0);
    }
    assert_int_equal(error, ECONNREFUSED);
    assert_false(wait_gone(s->pidfd, wait_until(0)));
    assert_int_equal(client_status(&slow, CLIENT_MS), 200);
    client_close(&slow);
    check_end(s, 5000);
}

static void test_quit_idle(void **state)
{
    struct server *s = *state;

    start(s, "count 4;");
    server_signal(s, SIGQUIT);
    check_end(s, 5000);
}

static void test_drain_timeout(void **state)
{
    struct server *s = *state;
    struct client slow;
    uint64_t least;

    start(s, "count 2; drain_timeout 600ms;");
    send_slow(s, &slow, MISDEED_SLEEP("30000"));
    least = wait_until(500);
    server_signal(s, SIGQUIT);
    check_end(s, 4000);
    assert_int_equal(wait_left(least), 0);
    client_close(&slow);
}

static void test_term_during_quit(void **state)
{
    struct server *s = *state;
    struct client slow;

    start(s, "count 2;");
    send_slow(s, &slow, MISDEED_SLEEP("30000"));
    server_signal(s, SIGQUIT);
    assert_false(wait_gone(s->pidfd, wait_until(300)));
    server_signal(s, SIGTERM);
    check_end(s, 4000);
    client_close(&slow);
}

/* Twice is no more than once. */
static void test_signals_again(void **state)
{
    static const int signals[] = {SIGQUIT, SIGTERM};
    struct server *s = *state;

    for (size_t i = 0; i < 2; i++) {
        start(s, "count 2;");
        for (int n = 0; n < 20; n++) {
            kill(s->pid, signals[i]);
        }
        check_end(s, 5000);
    }
}

/* A worker that dies while the others drain: what it had is tried again as ever, by one that is started for it. */
static void test_death_during_quit(void **state)
{
    struct server *s = *state;
    struct client slow;

    server_conf(s, SERVER_MODULES SERVER_MISDEED
                "request { retries 3; }\n"
                "worker { count 1; }\n"
                "http { listen 127.0.0.1:0; location /misdeed { handler misdeed; } }\n");
    server_start(s, NULL);
    client_open(&slow, server_port(s));
    client_request(&slow, "GET", MISDEED_SLEEP("800"), "", "", 0);
    assert_false(client_readable(&slow, 200));
    server_signal(s, SIGQUIT);
    assert_false(client_readable(&slow, 200));
    kill(server_pid(s, "worker"), SIGKILL);
    assert_int_equal(client_status(&slow, CLIENT_MS), 200);
    client_close(&slow);
    check_end(s, 5000);
}

/* -- The hooks of modules ------------------------------------------------------------------------------ */

static void start_hooks(struct server *s, const char *directives)
{
    char journal[4200];

    server_write(s, "journal", "");
    chmod(server_path(s, "journal", journal, sizeof(journal)), 0666);
    server_conf(s,
                SERVER_MODULES "load_module tmodules/killhooks.so;\n"
                               "killhooks_journal journal;\n"
                               "%s\n"
                               "worker { count 2; }\n"
                               "http { listen 127.0.0.1:0; location / { handler killhooks; } }\n",
                directives);
    server_start(s, NULL);
}

/* How many lines of the hooks' journal begin with the words. */
static size_t journal_count(const struct server *s, const char *words)
{
    char path[4200], *text = run_read_file(server_path(s, "journal", path, sizeof(path)));
    size_t count = 0;

    assert_non_null(text);
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        count += strncmp(line, words, strlen(words)) == 0;
    }
    free(text);
    return count;
}

static void test_soft_kill_hooks(void **state)
{
    struct server *s = *state;
    struct client slow;

    /* The hook is called while a request is at work, which is answered; the process waits for both. */
    start_hooks(s, "killhooks_answer 300ms; killhooks_delay 600ms;");
    client_open(&slow, server_port(s));
    client_request(&slow, "GET", "/", "", "", 0);
    assert_false(client_readable(&slow, 100));
    server_signal(s, SIGQUIT);
    assert_int_equal(client_status(&slow, CLIENT_MS), 200);
    client_close(&slow);
    check_end(s, 5000);
    assert_int_equal(journal_count(s, "soft_kill default/0 "), 1);
    assert_int_equal(journal_count(s, "soft_kill default/1 "), 1);
    assert_int_equal(journal_count(s, "done "), 2);
    assert_int_equal(journal_count(s, "supervisor_soft_kill bus "), 1);
    assert_int_equal(journal_count(s, "hard_kill "), 0);
}

static void test_soft_kill_never_done(void **state)
{
    struct server *s = *state;

    start_hooks(s, "killhooks_delay -1;");
    server_signal(s, SIGQUIT);
    assert_false(wait_gone(s->pidfd, wait_until(300)));
    server_signal(s, SIGTERM);
    check_end(s, 4000);
    assert_int_equal(journal_count(s, "soft_kill "), 2);
    assert_int_equal(journal_count(s, "done "), 0);
    assert_int_equal(journal_count(s, "hard_kill "), 2);
}

static void test_hard_kill_hooks(void **state)
{
    struct server *s = *state;

    start_hooks(s, "");
    server_signal(s, SIGTERM);
    check_end(s, 4000);
    assert_int_equal(journal_count(s, "hard_kill default/0 "), 1);
    assert_int_equal(journal_count(s, "hard_kill default/1 "), 1);
    assert_int_equal(journal_count(s, "supervisor_hard_kill bus "), 1);
    assert_int_equal(journal_count(s, "soft_kill "), 0);
}

/* They have one second. */
static void test_hard_kill_hook_hangs(void **state)
{
    struct server *s = *state;
    uint64_t least;

    start_hooks(s, "killhooks_hang on;");
    least = wait_until(900);
    server_signal(s, SIGTERM);
    check_end(s, 4000);
    assert_int_equal(wait_left(least), 0);
    assert_int_equal(journal_count(s, "hard_kill "), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hard),
        TEST(test_quit_answers_all),
        TEST(test_quit_refuses_new),
        TEST(test_quit_idle),
        TEST(test_drain_timeout),
        TEST(test_term_during_quit),
        TEST(test_signals_again),
        TEST(test_death_during_quit),
        TEST(test_soft_kill_hooks),
        TEST(test_soft_kill_never_done),
        TEST(test_hard_kill_hooks),
        TEST(test_hard_kill_hook_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
