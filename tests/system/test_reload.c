/*
 * Reloads: what they take, what they refuse, and that lpm goes back when it has to. Those under load are in test_soak.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "build.h"
#include "client.h"
#include "fail.h"
#include "misdeed.h"
#include "server.h"
#include "wait.h"

#ifdef SERVER_SANITIZED
#define SLOWER 6
#else
#define SLOWER 1
#endif

#define MODULES SERVER_MODULES SERVER_MISDEED "load_module own/build.so;\n"

/* A reload is at most one a second, and a loaded machine is slow. */
#define RELOAD_MS 20000

/* `main` and `worker` are what differs; `listen` is put before the locations. */
static void configure(struct server *s, const char *main, const char *worker, const char *listen)
{
    server_conf(s,
                MODULES "%s\nworker { %s }\n"
                        "worker good { handler hello; drain_timeout 2s; }\n"
                        "http {\n"
                        "    %s\n"
                        "    location /hello { handler hello; }\n"
                        "    location /misdeed { handler misdeed; }\n"
                        "    location /build { handler build; }\n"
                        "}\n",
                main, worker, listen);
}

#define LISTEN "listen 127.0.0.1:0;"

static void start(struct server *s, const char *main, const char *worker)
{
    build_make(s, "ok", "one");
    configure(s, main, worker, LISTEN);
    server_start(s, NULL);
}

/* Is that what `target` answers? The status has to be 200. */
static bool answers(const struct server *s, const char *target, const char *text)
{
    struct response r;
    bool same;

    assert_int_equal(client_get(server_port(s), target, &r), 200);
    same = strcmp(r.body, text) == 0;
    client_forget(&r);
    return same;
}

static void check_answer(const struct server *s, const char *target, const char *text)
{
    if (!answers(s, target, text)) {
        fail_test("%s does not answer \"%s\"", target, text);
    }
}

/* After a reload the old generation may still accept for a moment. */
static void wait_answer(const struct server *s, const char *target, const char *text)
{
    uint64_t deadline = wait_until(CLIENT_MS);

    while (!answers(s, target, text)) {
        if (wait_left(deadline) == 0) {
            fail_test("%s does not come to answer \"%s\"", target, text);
        }
    }
}

/* HUP; waits until a generation is online. */
static void reload(struct server *s)
{
    server_mark(s);
    server_signal(s, SIGHUP);
    server_wait_log(s, " is online: generation", RELOAD_MS);
}

/* HUP; waits for the line that says why not. */
static void fail_reload(struct server *s, const char *why)
{
    server_mark(s);
    server_signal(s, SIGHUP);
    assert_non_null(strstr(server_wait_log(s, "reload failed, generation 1 goes on: ", RELOAD_MS), why));
}

/* Until the generations before have ended. */
static void wait_ended(struct server *s, unsigned generation)
{
    char text[64];
    size_t mark = s->mark;

    s->mark = 0;
    snprintf(text, sizeof(text), "generation %u has ended", generation);
    server_wait_log(s, text, RELOAD_MS);
    s->mark = mark;
}

static int file_access(const struct server *s, const char *name)
{
    char path[4200];
    return access(server_path(s, name, path, sizeof(path)), F_OK);
}

static size_t count_pids(const struct server *s, const char *role)
{
    pid_t pids[SERVER_PIDS_MAX];
    return server_pids(s, role, pids, SERVER_PIDS_MAX);
}

/* -- What it takes ------------------------------------------------------------------------------------ */

static void test_everything_changes(void **state)
{
    struct server *s = *state;

    start(s, "", "count 1;");
    check_answer(s, "/build", "one");

    build_make(s, "ok", "two");
    check_answer(s, "/build", "one"); /* the copy is what runs */
    configure(s, "", "count 3;", LISTEN " listen unix:run/x.sock;");
    reload(s);
    wait_answer(s, "/build", "two");
    wait_ended(s, 1);
    assert_int_equal(count_pids(s, "worker"), 4);
    assert_int_equal(count_pids(s, "bus"), 1);

    /* A listener and a module less. */
    server_conf(s, SERVER_MODULES "probation 0s;\nhttp { " LISTEN " location / { handler hello; } }\n");
    reload(s);
    wait_answer(s, "/build", "hello\n");
    wait_ended(s, 2);
    assert_int_equal(count_pids(s, "worker"), 1);
    server_stop(s);
}

/* Whatever was taken in by the old generation is answered by it. */
static void test_old_requests_are_answered(void **state)
{
    struct server *s = *state;
    struct client slow, keep;
    struct response r;
    char field[64];

    start(s, "", "");
    client_open(&keep, server_port(s));
    client_request(&keep, "GET", "/build", "", NULL, 0);
    assert_int_equal(client_status(&keep, CLIENT_MS), 200);
    client_open(&slow, server_port(s));
    client_request(&slow, "GET", MISDEED_SLEEP("1500"), "", NULL, 0);
    check_answer(s, "/hello", "hello\n");                /* by now that is in the bus */
    client_request(&keep, "GET", "/build", "", NULL, 0); /* waits behind it */
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);

    build_make(s, "ok", "two");
    reload(s);
    wait_answer(s, "/build", "two");
    client_read(&keep, &r, CLIENT_MS);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "one");
    assert_null(client_field(&r, "Connection", field, sizeof(field)));
    client_forget(&r);
    assert_int_equal(client_status(&slow, CLIENT_MS), 200);
    wait_ended(s, 1);
    client_close(&keep);
    client_close(&slow);
    server_stop(s);
}

/* What the old generation does not finish in its time is cut, and said; meanwhile reloads wait. */
static void test_drain_is_bounded(void **state)
{
    struct server *s = *state;
    struct client slow;

    start(s, "max_generations 1;", "drain_timeout 2s;");
    client_open(&slow, server_port(s));
    client_request(&slow, "GET", MISDEED_SLEEP("60000"), "", NULL, 0);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    reload(s);
    server_mark(s);
    server_signal(s, SIGHUP);
    server_wait_log(s, "1 generations drain: the reload waits until one has ended", RELOAD_MS);
    server_wait_log(s, "generation 1 has not drained in its time, it is cut: bus (pid", RELOAD_MS);
    server_wait_log(s, "1 requests are cut", RELOAD_MS);
    server_wait_log(s, "is online: generation 3", RELOAD_MS);
    assert_true(client_closed(&slow, CLIENT_MS));
    client_close(&slow);
    server_stop(s);
}

/* -- What it refuses ---------------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
    static const struct {
        const char *how, *main, *worker, *listen, *why;
    } rows[] = {
        {"ok", "wokers 5;", "", LISTEN, "unknown directive \"wokers\" in conf/lpm.conf:"},
        {"ok", "", "", LISTEN " no_such_thing;", "unknown directive \"no_such_thing\" in conf/lpm.conf:"},
        {"ok", "load_module modules/none.so;", "", LISTEN, "modules/none.so"},
        {"ok", "", "", LISTEN " listen unix:conf/lpm.conf;", "a file that is no socket is there"},
        {"ok", "", "", LISTEN " access_log /dev/null/x;", "/dev/null"},
        {"ok", "user nobody-of-that-name;", "", LISTEN, "nobody-of-that-name"},
        {"refuse", "", "", LISTEN,
         "exited with status 3 before it was online, in the init hook of module \"own/build.so\""},
        {"crash", "", "", LISTEN,
         "died of SIGABRT before it was online, in the init hook of module \"own/build.so\""},
        {"never", "", "ready_timeout 300ms;", LISTEN,
         "was not ready within 0.3 s, waiting to hear that it is ready from module \"own/build.so\""},
        {"bus", "", "", LISTEN,
         "died of SIGABRT before it was online, in the online hook of module \"own/build.so\""},
    };
    struct server *s = *state;
    struct client keep;

    start(s, "", "");
    client_open(&keep, server_port(s));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        build_make(s, rows[i].how, "two");
        configure(s, rows[i].main, rows[i].worker, rows[i].listen);
        fail_reload(s, rows[i].why);
        check_answer(s, "/build", "one");
        client_request(&keep, "GET", "/build", "", NULL, 0);
        assert_int_equal(client_status(&keep, CLIENT_MS), 200);
    }
    client_close(&keep);
    assert_int_equal(count_pids(s, "bus"), 1);
    build_make(s, "ok", "two");
    configure(s, "", "", LISTEN);
    reload(s);
    wait_answer(s, "/build", "two");
    server_stop(s);
}

/* -- Going back --------------------------------------------------------------------------------------- */

static void test_goes_back_when_workers_die(void **state)
{
    struct server *s = *state;
    struct response r = {.status = 0};
    bool failed = false, back = false;
    int rounds = 0;

    start(s, "probation 1m;", "restarts 1;");
    build_make(s, "request", "two");
    reload(s);
    server_mark(s);
    while (!back) {
        if (client_get(server_port(s), "/build", &r) == 200) {
            back = failed && strcmp(r.body, "one") == 0; /* before, that was the old one's last answer */
        } else {
            failed = true;
        }
        client_forget(&r);
        /* Another pool's requests never fail meanwhile. */
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
        assert_true(++rounds < 5000);
    }
    server_wait_log(
        s,
        "generation 2 failed on probation, lpm goes back to what ran before it: "
        "pool default has lost more workers than \"restarts 1\" allows, the last one: worker default/0",
        RELOAD_MS);
    assert_non_null(strstr(s->line, "died of SIGABRT, in the request hook of module \"own/build.so\""));
    assert_true(server_log_count(s, " of module \"build\"") > 0); /* and so the bus says of each worker */
    wait_ended(s, 2);
    check_answer(s, "/build", "one");
    assert_int_equal(count_pids(s, "bus"), 1);
    server_stop(s);
}

/* A bus that dies in a module's hook is said to have done so. */
static void test_death_of_bus_names_module(void **state)
{
    struct server *s = *state;
    struct response r;

    build_make(s, "leave", "two");
    configure(s, "", "", LISTEN);
    server_start(s, NULL);
    build_make(s, "ok", "one");
    reload(s);
    server_wait_log(s, " died of SIGABRT, in the soft_kill hook of module \"own/build.so\"", RELOAD_MS);
    assert_int_equal(client_get(server_port(s), "/build", &r), 200);
    client_forget(&r);
    server_stop(s);
}

static void test_goes_back_when_bus_dies(void **state)
{
    struct server *s = *state;

    start(s, "probation 1m;", "");
    build_make(s, "ok", "two");
    reload(s);
    wait_answer(s, "/build", "two");
    wait_ended(s, 1);
    server_mark(s);
    kill(server_pid(s, "bus"), SIGKILL);
    check_answer(s, "/build", "one");
    server_wait_log(s, "generation 2 failed on probation, lpm goes back to what ran before it: bus",
                    RELOAD_MS);
    /* There is nothing to go back to now: the same once more. */
    kill(server_pid(s, "bus"), SIGKILL);
    check_answer(s, "/build", "one");
    server_wait_log(s, "is online: generation 4", RELOAD_MS);
    server_stop(s);
}

/* A port that nobody has; `*fd` holds it. */
static int take_port(int *fd, int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t len = sizeof(at);
    int on = 1;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(*fd >= 0);
    assert_int_equal(setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(*fd, 1), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&at, &len), 0);
    return ntohs(at.sin_port);
}

/* A client that connects to what is not listened on any more does not wait for the end of anything. */
static void wait_refused(int port)
{
    uint64_t deadline = wait_until(2000);
    struct client c;

    while (client_try_open(&c, port) != ECONNREFUSED) {
        client_close(&c);
        if (wait_left(deadline) == 0) {
            fail_test("port %d does not refuse", port);
        }
    }
}

/* A reload to one listener less, and to a control socket elsewhere, that fails its probation. */
static void reload_without_and_back(struct server *s, int port, bool taken)
{
    char listen[128];
    int fd = -1;

    snprintf(listen, sizeof(listen), LISTEN " listen 127.0.0.1:%d; listen unix:run/extra.sock;", port);
    build_make(s, "ok", "one");
    configure(s, "probation 1m;", "restarts 0;", listen);
    server_start(s, NULL);
    assert_int_equal(client_get(port, "/build", NULL), 200);
    build_make(s, "request", "two");
    configure(s, "probation 1m; control run/other.sock;", "restarts 0;", LISTEN);
    reload(s);
    wait_refused(port);
    assert_int_equal(file_access(s, "run/extra.sock"), -1);
    assert_int_equal(file_access(s, "run/lpm.sock"), -1);
    if (taken) {
        take_port(&fd, port);
    }
    server_mark(s);
    while (server_log_count(s, "is online: generation 3") == 0) {
        client_get(server_port(s), "/build", NULL);
    }
    wait_answer(s, "/build", "one");
    assert_int_equal(file_access(s, "run/extra.sock"), 0);
    assert_int_equal(file_access(s, "run/lpm.sock"), 0);
    assert_int_equal(file_access(s, "run/other.sock"), -1);
    if (taken) {
        assert_int_equal(server_log_count(s, "lpm goes on without it until the next reload: cannot listen"),
                         1);
        close(fd);
    } else {
        assert_int_equal(client_get(port, "/build", NULL), 200);
    }
    /* Whatever was missing comes with the next one. */
    build_make(s, "ok", "three");
    configure(s, "", "", listen);
    reload(s);
    assert_int_equal(client_get(port, "/build", NULL), 200);
    server_stop(s);
}

static void test_removed_listener_refuses(void **state)
{
    int fd, port = take_port(&fd, 0);

    close(fd);
    reload_without_and_back(*state, port, false);
}

static void test_removed_listener_is_taken(void **state)
{
    int fd, port = take_port(&fd, 0);

    close(fd);
    reload_without_and_back(*state, port, true);
}

/* A bus that was killed is missed by nobody who connects, and not for long. */
static void test_bus_is_replaced_at_once(void **state)
{
    struct server *s = *state;
    uint64_t killed;

    start(s, "", "");
    for (int i = 0; i < 3; i++) {
        pid_t bus = server_pid(s, "bus");
        killed = wait_until(0);
        kill(bus, SIGKILL);
        check_answer(s, "/build", "one");
        assert_true(wait_until(0) - killed < UINT64_C(250000000) * SLOWER);
        wait_ended(s, (unsigned)i + 1);
    }
    server_stop(s);
}

/* -- Storm ----------------------------------------------------------------------------------- */

static void test_storm_is_one_or_two(void **state)
{
    struct server *s = *state;

    start(s, "", "");
    server_mark(s);
    for (int i = 0; i < 50; i++) {
        server_signal(s, SIGHUP);
        assert_int_equal(client_get(server_port(s), "/build", NULL), 200);
        usleep(10000);
    }
    server_wait_log(s, "is online: generation 3", RELOAD_MS);
    assert_int_equal(server_log_count(s, " is online: generation"), 2);
    wait_ended(s, 2);
    assert_int_equal(server_log_count(s, " is online: generation"), 2);
    assert_int_equal(count_pids(s, "bus"), 1);
    assert_int_equal(count_pids(s, "worker"), 2);
    server_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everything_changes, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_old_requests_are_answered, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_drain_is_bounded, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_refusals, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_goes_back_when_workers_die, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_goes_back_when_bus_dies, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_death_of_bus_names_module, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_removed_listener_refuses, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_removed_listener_is_taken, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_bus_is_replaced_at_once, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_storm_is_one_or_two, server_setup, server_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
