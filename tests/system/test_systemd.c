/*
 * Under a service manager: what it is told, and what it hands over. The test is the manager.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "fail.h"
#include "misdeed.h"
#include "server.h"
#include "upgrade.h"
#include "wait.h"

#define CONF                                                                     \
    SERVER_MODULES SERVER_MISDEED "worker { count 2; }\n"                        \
                                  "http {\n"                                     \
                                  "    listen 127.0.0.1:0;\n"                    \
                                  "    location /hello { handler hello; }\n"     \
                                  "    location /misdeed { handler misdeed; }\n" \
                                  "}\n"

#define BASE SERVER_MODULES "worker { count 2; }\n"

struct manager {
    int socket;
    char name[108]; /* as in NOTIFY_SOCKET */
    char said[2048];
};

static void manager_open(struct manager *m, const struct server *s, bool abstract)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len;

    if (abstract) {
        snprintf(m->name, sizeof(m->name), "@lpm-test-%ld", (long)getpid());
    } else {
        snprintf(m->name, sizeof(m->name), "%.90s/notify", s->prefix);
    }
    len = strlen(m->name);
    memcpy(addr.sun_path, m->name, len);
    if (abstract) {
        addr.sun_path[0] = '\0';
    }
    m->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (m->socket < 0 || bind(m->socket, (struct sockaddr *)&addr,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) != 0) {
        fail_test("%s: %s", m->name, strerror(errno));
    }
    setenv("NOTIFY_SOCKET", m->name, 1);
}

static void manager_close(struct manager *m)
{
    close(m->socket);
    if (m->name[0] == '/') {
        unlink(m->name);
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

/* The next message; fails the test when there is none in time. */
static const char *manager_hears(struct manager *m, int timeout_ms)
{
    ssize_t n = -1;

    if (wait_fd(m->socket, POLLIN, wait_until(timeout_ms))) {
        n = recv(m->socket, m->said, sizeof(m->said) - 1, 0);
    }
    if (n < 0) {
        fail_test("the service manager was not told anything more");
    }
    m->said[n] = '\0';
    return m->said;
}

/* The next message that holds `text`. */
static const char *manager_waits(struct manager *m, const char *text)
{
    uint64_t deadline = wait_until(SERVER_START_MS);

    while (strstr(manager_hears(m, wait_left(deadline)), text) == NULL) {
    }
    return m->said;
}

static void test_states(void **state)
{
    struct server *s = *state;
    struct manager m;
    char text[64];

    for (int abstract = 0; abstract < 2; abstract++) {
        manager_open(&m, s, abstract != 0);
        server_conf(s, CONF);
        server_launch(s, NULL);
        manager_waits(&m, "READY=1\n");
        snprintf(text, sizeof(text), "\nMAINPID=%ld\n", (long)s->pid);
        assert_non_null(strstr(m.said, text));
        assert_non_null(strstr(m.said, "\nSTATUS=generation 1 serves with 2 workers"));
        server_wait_online(s);
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200); /* it serves indeed */
        server_signal(s, abstract ? SIGTERM : SIGQUIT);
        manager_waits(&m, "STOPPING=1\n");
        assert_int_equal(server_wait_exit(s, SERVER_STOP_MS), 0);
        server_check_clean(s);
        manager_close(&m);
    }
}

/* Type=notify-reload: the instant of RELOADING is not before that of the signal; READY ends it, whatever came of it. */
static void test_reload(void **state)
{
    struct server *s = *state;
    struct manager m;
    uint64_t asked;
    const char *since;

    manager_open(&m, s, false);
    server_conf(s, CONF);
    server_start(s, NULL);
    manager_waits(&m, "READY=1\n");
    for (int bad = 0; bad < 2; bad++) {
        if (bad) {
            server_conf(s, CONF "nonsense;\n");
        }
        asked = wait_until(0) / 1000;
        server_signal(s, SIGHUP);
        since = strstr(manager_waits(&m, "RELOADING=1\n"), "\nMONOTONIC_USEC=");
        assert_non_null(since);
        assert_in_range(strtoull(strchr(since, '=') + 1, NULL, 10), asked, wait_until(0) / 1000);
        manager_waits(&m, "READY=1\n");
        assert_non_null(
            strstr(m.said, bad ? "STATUS=generation 2 serves, the reload failed: unknown directive"
                               : "STATUS=generation 2 serves with 2 workers"));
    }
    server_stop(s);
    manager_close(&m);
}

static void test_daemon(void **state)
{
    struct server *s = *state;
    struct manager m;
    struct run run;
    char text[64];

    manager_open(&m, s, false);
    server_write(s, "conf/lpm.conf", "daemon on;\nerror_log logs/error.log info;\n" CONF);
    server_command(s, &run, NULL);
    assert_int_equal(run_exit(&run), 0);
    run_free(&run);
    server_adopt(s);
    manager_waits(&m, "READY=1\n");
    snprintf(text, sizeof(text), "\nMAINPID=%ld\n", (long)s->pid);
    assert_non_null(strstr(m.said, text));
    server_stop(s);
    manager_close(&m);
}

/* Not before it serves, and not at all when it fails. */
static void test_failed_start(void **state)
{
    struct server *s = *state;
    struct manager m;

    manager_open(&m, s, false);
    server_conf(s, CONF "misdeed_init fail;\n");
    server_launch(s, NULL);
    assert_int_not_equal(server_wait_exit(s, SERVER_START_MS), 0);
    while (wait_fd(m.socket, POLLIN, wait_until(0))) {
        assert_null(strstr(manager_hears(&m, 0), "READY=1"));
    }
    manager_close(&m);
}

/* Nobody but the master knows of it. */
static void test_environment(void **state)
{
    struct server *s = *state;
    struct manager m;
    struct response r;

    manager_open(&m, s, false);
    setenv("WATCHDOG_USEC", "60000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    setenv("LPM_TEST_KEPT", "yes", 1);
    server_conf(s, CONF);
    server_start(s, NULL);
    assert_int_equal(client_get(server_port(s), MISDEED("environ"), &r), 200);
    assert_non_null(strstr(r.body, "LPM_TEST_KEPT=yes\n"));
    assert_null(strstr(r.body, "NOTIFY_SOCKET="));
    assert_null(strstr(r.body, "WATCHDOG_"));
    client_forget(&r);
    server_stop(s);
    unsetenv("LPM_TEST_KEPT");
    manager_close(&m);
}

static void test_watchdog(void **state)
{
    struct server *s = *state;
    struct manager m;
    uint64_t begin;

    manager_open(&m, s, false);
    setenv("WATCHDOG_USEC", "200000", 1);
    server_conf(s, CONF);
    server_start(s, NULL);
    manager_waits(&m, "WATCHDOG=1");
    begin = wait_until(0);
    for (int i = 0; i < 5; i++) {
        manager_waits(&m, "WATCHDOG=1");
    }
    assert_true(wait_until(0) - begin >= UINT64_C(350000000)); /* each half of the time, roughly */
    server_stop(s);
    /* It is another process's. */
    setenv("WATCHDOG_PID", "1", 1);
    while (wait_fd(m.socket, POLLIN, wait_until(0))) {
        manager_hears(&m, 0);
    }
    server_start(s, NULL);
    manager_waits(&m, "READY=1");
    assert_false(wait_fd(m.socket, POLLIN, wait_until(400)));
    server_stop(s);
    manager_close(&m);
}

/* It hears nothing, and lpm does not wait for it; it hears it later. */
static void test_deaf_manager(void **state)
{
    struct server *s = *state;
    struct manager m;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fill = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    manager_open(&m, s, false);
    memcpy(addr.sun_path, m.name, strlen(m.name));
    while (sendto(fill, "x", 1, 0, (struct sockaddr *)&addr, sizeof(addr)) == 1) {
    }
    assert_int_equal(errno, EAGAIN);
    close(fill);
    server_conf(s, CONF);
    server_start(s, NULL);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    manager_waits(&m, "READY=1\n");
    server_stop(s);
    manager_close(&m);
}

/* -- Listeners ---------------------------------------------------------------------------------------- */

static int listen_on(struct sockaddr *addr, socklen_t len)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, addr, len) != 0 || listen(fd, 16) != 0) {
        fail_test("cannot listen: %s", strerror(errno));
    }
    return fd;
}

static int listen_tcp(int *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(addr);
    int fd = listen_on((struct sockaddr *)&addr, len);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *port = ntohs(addr.sin_port);
    return fd;
}

/* A relative path would not do for both of us. */
static int listen_unix(const struct server *s, const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%.80s/%s", s->prefix, name);
    return listen_on((struct sockaddr *)&addr, sizeof(addr));
}

static int connect_unix(const struct server *s, const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%.80s/%s", s->prefix, name);
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* One that the manager has is not lost to lpm when a reload has no use for it. */
static void drop_and_take_again(struct server *s, int port)
{
    server_conf(s, BASE "http { listen unix:run/web; location / { handler hello; } }\n");
    server_signal(s, SIGHUP);
    server_wait_log(s, "is online: generation 3", SERVER_START_MS);
    server_conf(s, BASE "http { listen 127.0.0.1:%d; listen unix:run/web; location / { handler hello; } }\n",
                port);
    server_signal(s, SIGHUP);
    server_wait_log(s, "is online: generation 4", SERVER_START_MS);
    assert_int_equal(client_get(port, "/", NULL), 200);
}

/* Taken by address, and by path; what nobody wants is named; and all of them stay the manager's after the end. */
static void test_activation(void **state)
{
    struct server *s = *state;
    struct client c;
    int ports[2], fds[3], unix_fd;

    fds[0] = listen_tcp(&ports[0]);
    fds[1] = listen_tcp(&ports[1]);
    fds[2] = listen_unix(s, "run/web");
    s->handed = fds;
    s->handed_count = 3;
    s->handed_names = "stray:web:local";
    server_conf(s, BASE "http { listen 127.0.0.1:%d; listen unix:run/web; location / { handler hello; } }\n",
                ports[1]);
    server_start(s, NULL);
    server_wait_log(s, "listening on unix:run/web, handed over as \"local\"", SERVER_START_MS);
    snprintf(s->line, sizeof(s->line),
             "\"stray\" was handed over (127.0.0.1:%d), but no \"listen\" names it: closed", ports[0]);
    char want[200];
    snprintf(want, sizeof(want), "%.199s", s->line);
    server_wait_log(s, want, SERVER_START_MS);
    for (int round = 0; round < 2; round++) { /* after a reload, too */
        assert_int_equal(client_get(ports[1], "/", NULL), 200);
        unix_fd = connect_unix(s, "run/web");
        assert_true(unix_fd >= 0);
        c = (struct client){.fd = unix_fd};
        client_request(&c, "GET", "/", "", "", 0);
        assert_int_equal(client_status(&c, CLIENT_MS), 200);
        client_close(&c);
        if (round == 0) {
            server_signal(s, SIGHUP);
            server_wait_log(s, "is online: generation 2", SERVER_START_MS);
        }
    }
    drop_and_take_again(s, ports[1]);
    server_signal(s, SIGTERM);
    assert_int_equal(server_wait_exit(s, SERVER_STOP_MS), 0);
    client_open(&c, ports[1]);
    client_close(&c);
    unix_fd = connect_unix(s, "run/web");
    assert_true(unix_fd >= 0);
    close(unix_fd);
    for (size_t i = 0; i < 3; i++) {
        close(fds[i]);
    }
    snprintf(s->line, sizeof(s->line), "%.4000s/run/web", s->prefix);
    unlink(s->line);
    server_check_clean(s);
}

/* The next FDSTORE: its descriptor, and its name in `name`. */
static int manager_stores(struct manager *m, char *name, size_t size)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    uint64_t deadline = wait_until(SERVER_START_MS);

    for (;;) {
        struct iovec part = {m->said, sizeof(m->said) - 1};
        struct msghdr head = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
        struct cmsghdr *cmsg;
        ssize_t n = -1;
        int fd;

        if (wait_fd(m->socket, POLLIN, deadline)) {
            n = recvmsg(m->socket, &head, MSG_CMSG_CLOEXEC);
        }
        if (n < 0) {
            fail_test("no descriptor came to be kept");
        }
        m->said[n] = '\0';
        cmsg = CMSG_FIRSTHDR(&head);
        if (strncmp(m->said, "FDSTORE=1\nFDNAME=", 17) == 0 && cmsg != NULL) {
            memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
            snprintf(name, size, "%s", m->said + 17);
            return fd;
        }
    }
}

/* The master is killed; who connects then waits in the queue that the manager keeps, and is answered by the next one. */
static void test_store(void **state)
{
    struct server *s = *state;
    struct manager m;
    struct client c;
    char names[2][256], joined[600];
    int port, fds[2], other, probe = listen_tcp(&port);

    close(probe);
    manager_open(&m, s, false);
    server_conf(s, BASE "http { listen 127.0.0.1:%d; listen unix:run/web; location / { handler hello; } }\n",
                port);
    server_start(s, NULL);
    fds[0] = manager_stores(&m, names[0], sizeof(names[0]));
    fds[1] = manager_stores(&m, names[1], sizeof(names[1]));
    snprintf(joined, sizeof(joined), "lpm_127.0.0.1_%d", port);
    assert_string_equal(names[0], joined);
    assert_string_equal(names[1], "lpm_unix_run/web");
    server_signal(s, SIGKILL);
    server_wait_exit(s, SERVER_STOP_MS);
    client_open(&c, port);
    client_request(&c, "GET", "/", "", "", 0);
    other = connect_unix(s, "run/web");
    assert_true(other >= 0);

    s->handed = fds;
    s->handed_count = 2;
    snprintf(joined, sizeof(joined), "%s:%s", names[0], names[1]);
    s->handed_names = joined;
    server_start(s, NULL);
    assert_int_equal(client_status(&c, CLIENT_MS), 200);
    client_close(&c);
    c = (struct client){.fd = other};
    client_request(&c, "GET", "/", "", "", 0);
    assert_int_equal(client_status(&c, CLIENT_MS), 200);
    client_close(&c);

    /* One goes with a reload, the other with lpm; the manager keeps neither. */
    server_conf(s, BASE "probation 0;\nhttp { listen 127.0.0.1:%d; location / { handler hello; } }\n", port);
    server_signal(s, SIGHUP);
    manager_waits(&m, "FDSTOREREMOVE=1\nFDNAME=lpm_unix_run/web");
    assert_int_equal(client_get(port, "/", NULL), 200);
    close(fds[0]);
    close(fds[1]);
    server_signal(s, SIGQUIT);
    snprintf(joined, sizeof(joined), "FDSTOREREMOVE=1\nFDNAME=lpm_127.0.0.1_%d", port);
    manager_waits(&m, joined);
    assert_int_equal(server_wait_exit(s, SERVER_STOP_MS), 0);
    server_check_clean(s);
    manager_close(&m);
}

/* Both masters serve, but only one speaks, until it names the other; whose sockets are whose is not forgotten. */
static void test_upgraded(void **state)
{
    struct server *s = *state;
    struct manager m;
    char name[256], text[96];
    int handed = listen_unix(s, "run/web"), kept, fd;
    pid_t new;

    manager_open(&m, s, false);
    s->handed = &handed;
    s->handed_count = 1;
    s->handed_names = "web";
    server_conf(s, BASE "http { listen unix:run/web; listen unix:run/own; location / { handler hello; } }\n");
    server_start(s, NULL);
    kept = manager_stores(&m, name, sizeof(name));
    assert_string_equal(name, "lpm_unix_run/own");
    manager_waits(&m, "READY=1\n");
    new = upgrade_begin(s);
    server_signal(s, SIGQUIT);
    snprintf(text, sizeof(text), "MAINPID=%ld", (long)new);
    assert_string_equal(manager_hears(&m, SERVER_STOP_MS), text);
    assert_int_equal(server_wait_exit(s, SERVER_STOP_MS), 0); /* nobody needs a stand-in */
    manager_hears(&m, SERVER_STOP_MS);
    snprintf(text, sizeof(text), "READY=1\nMAINPID=%ld\n", (long)new);
    assert_non_null(strstr(m.said, text));
    server_follow(s, new);
    server_signal(s, SIGTERM);
    manager_waits(&m, "STOPPING=1\n");
    manager_waits(&m, "FDSTOREREMOVE=1\nFDNAME=lpm_unix_run/own");
    server_wait_exit(s, SERVER_STOP_MS);
    fd = connect_unix(s, "run/web");
    assert_true(fd >= 0);
    close(fd);
    snprintf(s->line, sizeof(s->line), "%.4000s/run/web", s->prefix);
    assert_int_equal(unlink(s->line), 0);
    close(handed);
    close(kept);
    server_check_clean(s);
    manager_close(&m);
}

static void test_nonsense(void **state)
{
    struct server *s = *state;

    setenv("NOTIFY_SOCKET", "here", 1);
    server_conf(s, CONF);
    server_start(s, NULL);
    server_wait_log(s, "NOTIFY_SOCKET is \"here\": expected a path, or @ and a name", SERVER_START_MS);
    server_stop(s);
    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    server_start(s, NULL);
    server_wait_log(s, "the service manager cannot be told", SERVER_START_MS);
    server_stop(s);
    unsetenv("NOTIFY_SOCKET");
}

/* -- The unit ----------------------------------------------------------------------------------------- */

static char *replace(char *text, const char *what, const char *with)
{
    size_t size = strlen(text) + run_count(text, what) * strlen(with) + 1;
    char *result = malloc(size), *to = result, *at;

    assert_non_null(result);
    for (char *from = text;; from = at + strlen(what)) {
        at = strstr(from, what);
        to += sprintf(to, "%.*s", at ? (int)(at - from) : (int)strlen(from), from);
        if (at == NULL) {
            break;
        }
        to += sprintf(to, "%s", with);
    }
    free(text);
    return result;
}

static void test_unit(void **state)
{
    const char *version[] = {"systemd-analyze", "--version", NULL};
    char path[4200];
    const char *verify[] = {"systemd-analyze", "verify", "--man=no", path, NULL};
    struct server *s = *state;
    struct run run;
    char *text;

    run_command(&run, 30000, version);
    if (run_exit(&run) != 0) {
        run_free(&run);
        print_message("no systemd-analyze\n");
        skip();
    }
    text = run_read_file(LPM_SOURCE_DIR "/conf/lpm.service");
    assert_non_null(text);
    text = replace(text, "@PREFIX@/sbin/lpm", LPM_BUILD_DIR "/lpm");
    text = replace(text, "@PREFIX@", s->prefix);
    if (atoi(run.out + strcspn(run.out, "0123456789")) < 253) {
        text = replace(text, "Type=notify-reload", "Type=notify");
    }
    run_free(&run);
    server_write(s, "lpm.service", text);
    free(text);
    server_path(s, "lpm.service", path, sizeof(path));
    run_command(&run, 30000, verify);
    if (run_exit(&run) != 0 || strstr(run.err, "lpm.service") != NULL) {
        fail_test("systemd-analyze: status %d: %s", run_exit(&run), run.err);
    }
    run_free(&run);
}

static const struct {
    const char *name;
    int number;
} capabilities[] = {{"CAP_NET_BIND_SERVICE", CAP_NET_BIND_SERVICE},
                    {"CAP_SETUID", CAP_SETUID},
                    {"CAP_SETGID", CAP_SETGID},
                    {"CAP_KILL", CAP_KILL}};

/* lpm works with the capabilities that the unit leaves it, and no more: as root, with its workers as somebody else. */
static void test_capabilities(void **state)
{
    struct server *s = *state;
    char *text = run_read_file(LPM_SOURCE_DIR "/conf/lpm.service"), want[200] = "CapabilityBoundingSet=";

    assert_non_null(text);
    for (size_t i = 0; i < 4; i++) {
        snprintf(want + strlen(want), sizeof(want) - strlen(want), "%s%s", i ? " " : "",
                 capabilities[i].name);
    }
    assert_non_null(strstr(text, want));
    free(text);
    if (geteuid() != 0) {
        print_message("not root\n");
        skip();
    }
    for (int number = 0; prctl(PR_CAPBSET_READ, number) >= 0; number++) {
        bool keep = false;
        for (size_t i = 0; i < 4; i++) {
            keep = keep || capabilities[i].number == number;
        }
        if (!keep && prctl(PR_CAPBSET_DROP, number) != 0) {
            fail_test("capability %d stays: %s", number, strerror(errno));
        }
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    server_conf(s, CONF);
    server_start(s, NULL);
    assert_int_equal(client_get(server_port(s), MISDEED("crash"), NULL), 502);
    server_wait_log(s, "died of SIGSEGV", SERVER_START_MS);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_signal(s, SIGHUP);
    server_wait_log(s, "is online: generation 2", SERVER_START_MS);
    server_wait_log(s, "generation 1 has ended", SERVER_START_MS);
    kill(server_pid(s, "bus"), SIGKILL);
    server_wait_log(s, "is online: generation 3", SERVER_START_MS);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_stop(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_states),       TEST(test_reload),   TEST(test_daemon),       TEST(test_failed_start),
        TEST(test_environment),  TEST(test_watchdog), TEST(test_deaf_manager), TEST(test_nonsense),
        TEST(test_activation),   TEST(test_store),    TEST(test_upgraded),     TEST(test_unit),
        TEST(test_capabilities), /* the last: what it gives up is gone */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
