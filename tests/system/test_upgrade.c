/*
 * Binary upgrades: both masters serve, each can be taken back, nobody notices, and whatever fails the other goes on.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"
#include "ctl.h"
#include "fail.h"
#include "misdeed.h"
#include "server.h"
#include "upgrade.h"
#include "wait.h"
#include "wrk.h"

#define PID     "run/lpm.pid"
#define OLD_PID "run/lpm.pid.oldbin"

/* `main` is what differs, `listen` are more listeners. */
static void configure(struct server *s, const char *main, const char *listen)
{
    server_conf(s,
                SERVER_MODULES SERVER_MISDEED
                "%s\nworker { count 2; }\n"
                "http { listen 127.0.0.1:0; %s location /hello { handler hello; }"
                " location /misdeed { handler misdeed; } }\n",
                main, listen);
}

static void start(struct server *s, const char *main, const char *listen)
{
    upgrade_program(s);
    configure(s, main, listen);
    server_start(s, NULL);
}

static void check_hello(const struct server *s)
{
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
}

static bool exists(const struct server *s, const char *name)
{
    char path[4200];
    struct stat st;
    return lstat(server_path(s, name, path, sizeof(path)), &st) == 0;
}

/* Does somebody listen at that path? */
static bool connects(const struct server *s, const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected;

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%.90s/%s", s->prefix, name);
    connected = connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0;
    close(fd);
    return connected;
}

/* Who answers at that control socket is a bus of `master`. */
static void check_control(const struct server *s, const char *socket, pid_t master)
{
    const char *argv[] = {LPM_BUILD_DIR "/lpmctl", "--socket", NULL, "--json", "status", NULL};
    char path[4200], text[64];
    struct run run;

    argv[2] = server_path(s, socket, path, sizeof(path));
    run_command(&run, CTL_MS, argv);
    snprintf(text, sizeof(text), "\"master\":%d,", (int)master);
    if (run_exit(&run) != 0 || run_count(run.out, text) != 1) {
        fail_test("%s: \"%s\" does not hold %s: %s", socket, run.out, text, run.err);
    }
    run_free(&run);
}

static void signal_and_wait(struct server *s, pid_t pid, int number, const char *text)
{
    server_mark(s);
    assert_int_equal(kill(pid, number), 0);
    server_wait_log(s, text, UPGRADE_MS);
}

/* The process that was started ends, and that one is the server now. */
static void follow(struct server *s, pid_t pid)
{
    server_wait_exit(s, UPGRADE_MS);
    server_follow(s, pid);
}

/* -- The protocol ------------------------------------------------------------------------------------- */

static void test_both_serve(void **state)
{
    struct server *s = *state;
    struct client keep;
    struct run run;
    char text[64];
    pid_t new;

    start(s, "", "listen unix:run/h.sock;");
    client_open(&keep, server_port(s));
    client_request(&keep, "GET", "/hello", "", NULL, 0);
    assert_int_equal(client_status(&keep, CLIENT_MS), 200);

    new = upgrade_begin(s);
    assert_int_equal(upgrade_pid(s, OLD_PID), s->pid);
    check_control(s, "run/lpm.sock", new);
    check_control(s, "run/lpm.sock.oldbin", s->pid);
    client_request(&keep, "GET", "/hello", "", NULL, 0);
    assert_int_equal(client_status(&keep, CLIENT_MS), 200);
    snprintf(text, sizeof(text), "no upgrade: one runs already, the new master is pid %d", (int)new);
    signal_and_wait(s, s->pid, SIGUSR2, text);
    snprintf(text, sizeof(text), "no upgrade: the old master (pid %d) still runs", (int)s->pid);
    signal_and_wait(s, new, SIGUSR2, text);
    signal_and_wait(s, s->pid, SIGHUP, "SIGHUP: no reload while an upgrade runs");

    /* lpm -s means the new one. */
    server_mark(s);
    server_command(s, &run, "-s", "reload", NULL);
    assert_int_equal(run_exit(&run), 0);
    run_free(&run);
    snprintf(text, sizeof(text), " %d master: lpm/", (int)new);
    server_wait_log(s, text, UPGRADE_MS);

    /* The old one goes for good; what it has taken in ends as in any soft kill. */
    upgrade_finish(s);
    assert_true(client_closed(&keep, CLIENT_MS));
    client_close(&keep);
    assert_false(exists(s, OLD_PID));
    assert_false(exists(s, "run/lpm.sock.oldbin"));
    assert_true(connects(s, "run/h.sock"));
    check_hello(s);
    check_control(s, "run/lpm.sock", new);
    server_stop(s); /* the process that was started has stayed: it passes this on, and on to us the status */
}

static void test_retire_and_come_back(void **state)
{
    struct server *s = *state;
    pid_t new, pids[SERVER_PIDS_MAX];
    char text[64];

    start(s, "", "listen unix:run/h.sock;");
    signal_and_wait(s, s->pid, SIGWINCH, "SIGWINCH: nothing changes: there is no new master that serves");
    new = upgrade_begin(s);
    signal_and_wait(s, s->pid, SIGWINCH, "generation 1 has ended");
    assert_int_equal(server_pids(s, "bus", pids, SERVER_PIDS_MAX), 1);
    check_hello(s);
    signal_and_wait(s, s->pid, SIGWINCH, "SIGWINCH: nothing changes: nothing serves here any more");

    /* Not from what is on disk now. */
    server_conf(s, "this is no configuration;\n");
    snprintf(text, sizeof(text), " %d master: lpm/", (int)s->pid);
    signal_and_wait(s, s->pid, SIGHUP, text);
    assert_int_equal(server_pids(s, "bus", pids, SERVER_PIDS_MAX), 2);
    snprintf(text, sizeof(text), "the new master (pid %d) exited with status 0, this one goes on", (int)new);
    signal_and_wait(s, new, SIGQUIT, text);
    assert_int_equal(upgrade_pid(s, PID), s->pid);
    assert_false(exists(s, OLD_PID));
    check_control(s, "run/lpm.sock", s->pid);
    check_hello(s);
    assert_true(connects(s, "run/h.sock")); /* the new one has closed its copy, no more */

    /* Once more; and when the new one ends, one that had retired serves again by itself. */
    configure(s, "", "listen unix:run/h.sock;");
    new = upgrade_begin(s);
    signal_and_wait(s, s->pid, SIGWINCH, "generation 2 has ended");
    snprintf(text, sizeof(text), " %d master: lpm/", (int)s->pid);
    signal_and_wait(s, new, SIGTERM, text);
    check_hello(s);
    assert_true(connects(s, "run/h.sock"));
    assert_int_equal(upgrade_pid(s, PID), s->pid);
    server_stop(s);
}

/* One that has retired has nobody whose end would be its own. */
static void test_retired_one_ends(void **state)
{
    struct server *s = *state;

    start(s, "", "");
    upgrade_begin(s);
    signal_and_wait(s, s->pid, SIGWINCH, "generation 1 has ended");
    upgrade_finish(s);
    check_hello(s);
    server_stop(s);
}

/* What is configured otherwise by then: a listener more, one less. */
static void test_other_listeners(void **state)
{
    struct server *s = *state;

    start(s, "", "listen unix:run/a.sock; listen unix:run/b.sock;");
    configure(s, "", "listen unix:run/b.sock; listen unix:run/c.sock;");
    upgrade_begin(s);
    assert_true(connects(s, "run/a.sock"));
    assert_true(connects(s, "run/c.sock"));
    upgrade_finish(s);
    assert_false(exists(s, "run/a.sock"));
    assert_true(connects(s, "run/b.sock"));
    assert_true(connects(s, "run/c.sock"));
    check_hello(s);
    server_stop(s);
}

/* Nobody waits for a daemon: the old process ends. */
static void test_daemon(void **state)
{
    struct server *s = *state;
    struct run run;
    pid_t old, new;

    upgrade_program(s);
    server_write(s, "conf/lpm.conf",
                 "daemon on; error_log logs/error.log info;\n" SERVER_MODULES
                 "http { listen unix:run/h.sock; location / { handler hello; } }\n");
    server_command(s, &run, NULL);
    assert_int_equal(run_exit(&run), 0);
    run_free(&run);
    server_adopt(s);
    old = s->pid;
    new = upgrade_begin(s);
    signal_and_wait(s, old, SIGQUIT, "the old master has ended");
    follow(s, new);
    server_wait_log(s, " has gone", UPGRADE_MS);
    assert_true(connects(s, "run/h.sock"));
    server_stop(s);
}

/* A second, a third: the process that people wait for is still the first, and signals reach the last. */
static void test_several(void **state)
{
    struct server *s = *state;

    start(s, "", "");
    for (int i = 0; i < 3; i++) {
        upgrade_begin(s);
        upgrade_finish(s);
        check_hello(s);
    }
    assert_int_equal(server_pid(s, "master"), upgrade_pid(s, PID));
    assert_int_equal(server_pid(s, "stand-in"), s->pid);
    server_signal(s, SIGHUP);
    server_wait_log(s, "SIGHUP: reload", UPGRADE_MS);
    /* In the middle of the next one they are for both. */
    upgrade_begin(s);
    server_mark(s);
    server_signal(s, SIGQUIT);
    server_wait_log_count(s, "SIGQUIT: soft kill", 2, UPGRADE_MS);
    assert_int_equal(server_wait_exit(s, UPGRADE_MS), 0);
    server_check_clean(s);
}

/* -- Failures ----------------------------------------------------------------------------------------- */

static void install_text(const struct server *s, const char *text)
{
    char path[4200];

    server_write(s, "bin/other", text);
    upgrade_install(s, server_path(s, "bin/other", path, sizeof(path)));
}

static void test_new_one_does_not_start(void **state)
{
    static const struct {
        const char *program; /* NULL: lpm itself */
        const char *main, *why;
    } rows[] = {
        {"this is no program", "", "exited with status 1: cannot execute /"},
        {"#!/bin/sh\nexit 1\n", "", "exited with status 1"},
        {"#!/bin/sh\nkill -SEGV $$\n", "", "died of SIGSEGV"},
        {NULL, "wokers 5;", "unknown directive \"wokers\" in conf/lpm.conf:"},
        {NULL, "load_module modules/none.so;", "modules/none.so"},
        {NULL, "user nobody-of-that-name;", "nobody-of-that-name"},
    };
    struct server *s = *state;
    pid_t pids[SERVER_PIDS_MAX];

    start(s, "", "listen unix:run/h.sock;");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].program) {
            install_text(s, rows[i].program);
        } else {
            upgrade_install(s, NULL);
        }
        configure(s, rows[i].main, "listen unix:run/h.sock;");
        signal_and_wait(s, s->pid, SIGUSR2, "upgrade failed, this one goes on: the new master (pid ");
        if (!strstr(s->line, rows[i].why)) {
            fail_test("\"%s\" does not say \"%s\"", s->line, rows[i].why);
        }
        assert_int_equal(upgrade_pid(s, PID), s->pid);
        assert_false(exists(s, OLD_PID));
        assert_true(connects(s, "run/h.sock"));
        check_control(s, "run/lpm.sock", s->pid);
        check_hello(s);
    }
    assert_int_equal(server_pids(s, "bus", pids, SERVER_PIDS_MAX), 1);
    upgrade_install(s, NULL);
    configure(s, "", "listen unix:run/h.sock;");
    upgrade_begin(s);
    upgrade_finish(s);
    check_hello(s);
    server_stop(s);
}

static void test_new_one_is_killed(void **state)
{
    struct server *s = *state;
    char text[96];
    pid_t new;

    start(s, "", "listen unix:run/h.sock;");
    new = upgrade_begin(s);
    snprintf(text, sizeof(text), "the new master (pid %d) died of SIGKILL, this one goes on", (int)new);
    signal_and_wait(s, new, SIGKILL, text);
    check_hello(s);
    assert_int_equal(upgrade_pid(s, PID), s->pid);
    check_control(s, "run/lpm.sock", s->pid);

    /* In the middle of its start. */
    install_text(s, "#!/bin/sh\nexec sleep 60\n");
    signal_and_wait(s, s->pid, SIGUSR2, "upgrade: the new master is pid ");
    new = atoi(strstr(s->line, "is pid ") + strlen("is pid "));
    signal_and_wait(s, new, SIGKILL, "upgrade failed, this one goes on: the new master (pid ");
    assert_non_null(strstr(s->line, "died of SIGKILL"));
    check_hello(s);
    server_stop(s);
}

static void test_new_one_never_serves(void **state)
{
    struct server *s = *state;

    start(s, "upgrade_timeout 500ms;", "listen unix:run/h.sock;");
    install_text(s, "#!/bin/sh\nexec sleep 60\n");
    signal_and_wait(s, s->pid, SIGUSR2, "does not serve within upgrade_timeout: SIGTERM");
    server_wait_log(s, "upgrade failed, this one goes on: the new master (pid ", UPGRADE_MS);
    assert_non_null(strstr(s->line, "died of SIGTERM: it did not serve within upgrade_timeout"));
    install_text(s, "#!/bin/sh\ntrap '' TERM\nexec sleep 60\n");
    signal_and_wait(s, s->pid, SIGUSR2, "does not serve and does not end: killed");
    server_wait_log(s, "upgrade failed, this one goes on: the new master (pid ", UPGRADE_MS);
    assert_non_null(strstr(s->line, "died of SIGKILL: it did not serve within upgrade_timeout"));
    assert_int_equal(upgrade_pid(s, PID), s->pid);
    check_control(s, "run/lpm.sock", s->pid);
    check_hello(s);
    server_stop(s);
}

static void test_old_one_is_killed(void **state)
{
    struct server *s = *state;
    char text[96];
    pid_t new;

    start(s, "", "listen unix:run/h.sock;");
    new = upgrade_begin(s);
    snprintf(text, sizeof(text), "the old master (pid %d) has gone", (int)s->pid);
    server_mark(s);
    server_signal(s, SIGKILL);
    follow(s, new);
    server_wait_log(s, text, UPGRADE_MS);
    check_hello(s);
    assert_false(exists(s, OLD_PID));
    assert_false(exists(s, "run/lpm.sock.oldbin"));
    check_control(s, "run/lpm.sock", new);
    new = upgrade_begin(s);
    server_mark(s);
    server_signal(s, SIGQUIT);
    follow(s, new); /* nobody waits for that one */
    check_hello(s);
    server_stop(s);
}

/* A request that holds up the end of who serves now. */
static void hold(const struct server *s, struct client *slow)
{
    client_open(slow, server_port(s));
    client_request(slow, "GET", MISDEED_SLEEP("2000"), "", NULL, 0);
    check_hello(s); /* by now that is in the bus */
}

/* One ends, the other is killed meanwhile: nobody listens any more, and no file says otherwise. */
static void test_one_ends_the_other_is_killed(void **state)
{
    struct server *s = *state;
    struct client slow;
    pid_t new;

    start(s, "", "listen unix:run/h.sock;");
    hold(s, &slow);
    new = upgrade_begin(s);
    signal_and_wait(s, s->pid, SIGQUIT, "SIGQUIT: soft kill");
    signal_and_wait(s, new, SIGKILL, "died of SIGKILL, and this one is told to end");
    assert_false(connects(s, "run/h.sock"));
    client_close(&slow);
    assert_int_equal(server_wait_exit(s, UPGRADE_MS), 0);
    server_check_clean(s);

    server_start(s, NULL);
    new = upgrade_begin(s);
    signal_and_wait(s, s->pid, SIGWINCH, "generation 1 has ended");
    hold(s, &slow);
    signal_and_wait(s, new, SIGQUIT, "SIGQUIT: soft kill");
    server_mark(s);
    server_signal(s, SIGKILL);
    follow(s, new);
    server_wait_log(s, " has gone", UPGRADE_MS);
    assert_false(connects(s, "run/h.sock"));
    client_close(&slow);
    server_wait_exit(s, UPGRADE_MS);
    server_check_clean(s);
}

/* While the new one starts: it has nothing but its copies of the listeners. */
static void test_old_one_is_killed_early(void **state)
{
    struct server *s = *state;
    char path[4200], script[4400], text[96];
    pid_t new;
    int go;

    start(s, "", "listen unix:run/h.sock;");
    assert_int_equal(mkfifo(server_path(s, "conf/go", path, sizeof(path)), 0600), 0);
    snprintf(script, sizeof(script), "#!/bin/sh\nread go < %s\nexec %s \"$@\"\n", path, LPM_BUILD_DIR "/lpm");
    install_text(s, script);
    signal_and_wait(s, s->pid, SIGUSR2, "upgrade: the new master is pid ");
    new = atoi(strstr(s->line, "is pid ") + strlen("is pid "));
    server_mark(s);
    kill(s->pid, SIGKILL);
    follow(s, new);
    go = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(go, "go\n", 3), 3);
    close(go);
    snprintf(text, sizeof(text), " %d master: lpm/", (int)new);
    server_wait_log(s, text, UPGRADE_MS);
    server_wait_log(s, " has gone", UPGRADE_MS);
    check_hello(s);
    assert_true(connects(s, "run/h.sock"));
    server_stop(s);
}

/* The process that people wait for waits, too, when the master between it and the next one ends early. */
static void test_standin_waits_for_the_next(void **state)
{
    struct server *s = *state;
    char path[4200], script[4400];
    pid_t middle, new;
    int go;

    start(s, "", "listen unix:run/h.sock;");
    middle = upgrade_begin(s);
    upgrade_finish(s);
    assert_int_equal(mkfifo(server_path(s, "conf/go", path, sizeof(path)), 0600), 0);
    snprintf(script, sizeof(script), "#!/bin/sh\nread go < %s\nexec %s \"$@\"\n", path, LPM_BUILD_DIR "/lpm");
    install_text(s, script);
    signal_and_wait(s, middle, SIGUSR2, "upgrade: the new master is pid ");
    new = atoi(strstr(s->line, "is pid ") + strlen("is pid "));
    go = wait_open(middle);
    server_mark(s);
    kill(middle, SIGKILL);
    assert_true(wait_gone(go, wait_until(UPGRADE_MS)));
    close(go);
    server_signal(s, SIGHUP); /* is for the one that comes */
    go = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(go, "go\n", 3), 3);
    close(go);
    server_wait_log(s, "SIGHUP: reload", UPGRADE_MS);
    assert_int_equal(upgrade_pid(s, PID), new);
    check_hello(s);
    assert_int_equal(server_pid(s, "stand-in"), s->pid);
    server_stop(s);
}

/* What only an old master may say. */
static void test_bad_environment(void **state)
{
    static const char *const texts[] = {"", "listen 80", "listen 80 0;", "master 1 2;", "no 3;", "}"};
    struct server *s = *state;
    struct run run;

    configure(s, "", "");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        setenv("LPM_UPGRADE", texts[i], 1);
        server_command(s, &run, NULL);
        unsetenv("LPM_UPGRADE");
        assert_int_equal(run_exit(&run), 1);
        assert_ptr_equal(strstr(run.err, "lpm: LPM_UPGRADE is for an upgrade only: "), run.err);
        run_free(&run);
    }
}

/* -- In the foreground -------------------------------------------------------------------------------- */

/* Ctrl-C, or the end of a container, in the middle of an upgrade: all of it ends. */
static void test_hard_kill_ends_both(void **state)
{
    struct server *s = *state;

    start(s, "", "");
    upgrade_begin(s);
    server_stop(s);
}

/* Who is killed hard has nobody to wait for, but the master that serves goes on. */
static void test_standin_is_killed(void **state)
{
    struct server *s = *state;
    pid_t new;

    start(s, "", "");
    new = upgrade_begin(s);
    upgrade_finish(s);
    server_signal(s, SIGKILL);
    follow(s, new);
    check_hello(s);
    server_stop(s);
}

/* -- Load --------------------------------------------------------------------------------------------- */

/* Upgrades under wrk, one after the other, 3 or as many as LPM_SOAK says: not one request fails, nobody stays behind. */
static void upgrade_under_load(struct server *s, const char *script)
{
    const char *soak = getenv("LPM_SOAK");
    int count = soak ? atoi(soak) : 3;
    struct wrk w;

    start(s, "", "");
    wrk_start(&w, server_port(s), "/hello", 20, 4 + count / 2, script);
    for (int i = 0; i < count; i++) {
        upgrade_install(s, NULL);
        upgrade_begin(s);
        upgrade_finish(s);
    }
    wrk_finish(&w);
    if (wrk_socket_errors(&w) + w.errors > 0 || w.requests == 0) {
        fail_test("%s", w.run.out);
    }
    run_free(&w.run);
    assert_int_equal(server_pid(s, "stand-in"), s->pid);
    assert_int_equal(server_pid(s, "master"), upgrade_pid(s, PID));
    server_pid(s, "bus"); /* the only one */
    server_stop(s);
}

static void test_load_keep_alive(void **state)
{
    upgrade_under_load(*state, NULL);
}

static void test_load_new_connections(void **state)
{
    struct server *s = *state;
    char path[4200];

    server_write(s, "close.lua", "wrk.headers[\"Connection\"] = \"close\"\n");
    upgrade_under_load(s, server_path(s, "close.lua", path, sizeof(path)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_both_serve, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_retire_and_come_back, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_retired_one_ends, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_other_listeners, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_daemon, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_several, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_new_one_does_not_start, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_new_one_is_killed, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_new_one_never_serves, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_old_one_is_killed, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_one_ends_the_other_is_killed, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_old_one_is_killed_early, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_standin_waits_for_the_next, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_bad_environment, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_hard_kill_ends_both, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_standin_is_killed, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_load_keep_alive, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_load_new_connections, server_setup, server_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
