/*
 * Listening sockets: the forms of addresses, and sockets that are bound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "os/os_listen.h"

#define FORMS "; expected PORT, *:PORT, HOST:PORT, [IPV6]:PORT or unix:PATH"
#define X50   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_check(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0",
        "80",
        "65535",
        "*:80",
        "127.0.0.1:8080",
        "0.0.0.0:80",
        "localhost:80",
        "my-host.example_1.org:443",
        "[::]:80",
        "[::1]:0",
        "[2001:db8::1]:65535",
        "unix:run/lpm.sock",
        "unix:/a:b/c",
        "unix:" X50 X50 "1234567",
    };
    struct error err;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(os_listen_check(good[i], &err), 0);
    }
}

static void test_check_refused(void **state)
{
    (void)state;
    static const struct {
        const char *address, *why;
    } cases[] = {
        {"", "no port from 0 to 65535 stands at its end"},
        {"localhost", "no port from 0 to 65535 stands at its end"},
        {"127.0.0.1", "no port from 0 to 65535 stands at its end"},
        {"65536", "no port from 0 to 65535 stands at its end"},
        {"4294967376", "no port from 0 to 65535 stands at its end"},
        {"-1", "no port from 0 to 65535 stands at its end"},
        {"+80", "no port from 0 to 65535 stands at its end"},
        {" 80", "no port from 0 to 65535 stands at its end"},
        {"80 ", "no port from 0 to 65535 stands at its end"},
        {"*:", "no port from 0 to 65535 stands at its end"},
        {"*:http", "no port from 0 to 65535 stands at its end"},
        {"[::1]", "no port from 0 to 65535 stands at its end"},
        {":80", "no host stands before the port"},
        {"**:80", "no host stands before the port"},
        {"-h:80", "no host stands before the port"},
        {"a b:80", "no host stands before the port"},
        {"http://localhost:80", "an IPv6 address stands in brackets"},
        {"::1:80", "an IPv6 address stands in brackets"},
        {"256.0.0.1:80", "no IPv4 address stands before the port"},
        {"127.1:80", "no IPv4 address stands before the port"},
        {"[]:80", "no IPv6 address stands in the brackets"},
        {"[127.0.0.1]:80", "no IPv6 address stands in the brackets"},
        {"[::g]:80", "no IPv6 address stands in the brackets"},
        {"[:80", "\"]\" and \":PORT\" are missing"},
        {"[::1]x:80", "\"]\" and \":PORT\" are missing"},
        {"unix:", "the path is missing"},
        {X50 X50 X50 X50 X50 X50 ":80", "the host is too long"},
    };
    struct error err;
    char want[ERROR_TEXT_SIZE];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(os_listen_check(cases[i].address, &err), LPM_ECONF);
        snprintf(want, sizeof(want), "invalid address \"%s\": %s" FORMS, cases[i].address, cases[i].why);
        assert_string_equal(err.text, want);
    }
    assert_int_equal(os_listen_check("unix:" X50 X50 "12345678", &err), LPM_ECONF);
    assert_non_null(strstr(err.text, "the path has 108 bytes, the system allows 107"));
}

static void assert_flags(int fd)
{
    int on = 0;
    socklen_t len = sizeof(on);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len), 0);
    assert_int_equal(on, 1);
}

/* A connection to `fd` is accepted from it. */
static void assert_accepts(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    int client = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client >= 0);
    assert_int_equal(connect(client, (struct sockaddr *)&addr, len), 0);
    int server = accept(fd, NULL, NULL);
    assert_true(server >= 0);
    close(client);
    close(server);
}

static void test_tcp(void **state)
{
    (void)state;
    static const struct {
        const char *address, *bound;
    } cases[] = {
        {"0", "0.0.0.0:"},
        {"*:0", "0.0.0.0:"},
        {"127.0.0.1:0", "127.0.0.1:"},
        {"[::1]:0", "[::1]:"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char bound[64];
        struct error err;
        int fd, port = 0, on = 0;
        socklen_t len = sizeof(on);
        int rc = os_listen(&fd, cases[i].address, -1, bound, sizeof(bound), &err);
        if (rc == LPM_EIO && cases[i].address[0] == '[' && strstr(err.text, "assign")) {
            continue; /* a machine without IPv6 */
        }
        assert_int_equal(rc, 0);
        assert_memory_equal(bound, cases[i].bound, strlen(cases[i].bound));
        assert_int_equal(sscanf(bound + strlen(cases[i].bound), "%d", &port), 1);
        assert_in_range(port, 1, 65535);
        assert_flags(fd);
        assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, &len), 0);
        assert_int_equal(on, 1);
        if (cases[i].address[0] == '[') {
            assert_int_equal(getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, &len), 0);
            assert_int_equal(on, 1);
        }
        assert_accepts(fd);
        os_listen_close(&fd, cases[i].address);
        assert_int_equal(fd, -1);
    }
}

static void test_tcp_in_use(void **state)
{
    (void)state;
    char bound[64], again[64], want[128];
    struct error err;
    int a, b = 5;

    assert_int_equal(os_listen(&a, "127.0.0.1:0", 16, bound, sizeof(bound), &err), 0);
    assert_int_equal(os_listen(&b, bound, 16, again, sizeof(again), &err), LPM_EIO);
    assert_int_equal(b, -1);
    snprintf(want, sizeof(want), "cannot listen on %s: Address already in use", bound);
    assert_string_equal(err.text, want);
    os_listen_close(&a, bound);
    assert_int_equal(os_listen(&b, bound, 16, again, sizeof(again), &err), 0);
    assert_string_equal(again, bound);
    os_listen_close(&b, bound);
}

static void test_tcp_refused(void **state)
{
    (void)state;
    char bound[64];
    struct error err;
    int fd, status;

    assert_int_equal(os_listen(&fd, "nonsense", -1, bound, sizeof(bound), &err), LPM_ECONF);
    assert_int_equal(fd, -1);
    assert_int_equal(os_listen(&fd, "192.0.2.1:80", -1, bound, sizeof(bound), &err), LPM_EIO);
    assert_string_equal(err.text, "cannot listen on 192.0.2.1:80: Cannot assign requested address");
    assert_int_equal(os_listen(&fd, "localhost:80", -1, bound, sizeof(bound), &err), LPM_EIO);
    assert_string_equal(err.text, "cannot listen on localhost:80: its name has not been resolved");

    if (geteuid() == 0) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            if (setresuid(65534, 65534, 65534) != 0) {
                _exit(1);
            }
            int rc = os_listen(&fd, "127.0.0.1:79", -1, bound, sizeof(bound), &err);
            if (rc == 0) {
                _exit(0); /* a machine where every port is free to all */
            }
            _exit(strcmp(err.text, "cannot listen on 127.0.0.1:79: Permission denied") ? 2 : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

static void test_resolve(void **state)
{
    static const struct {
        const char *address, *numeric;
    } rows[] = {
        {"80", "80"},
        {"*:80", "*:80"},
        {"127.0.0.1:80", "127.0.0.1:80"},
        {"[::1]:80", "[::1]:80"},
        {"unix:" X50 X50 "1234567", "unix:" X50 X50 "1234567"},
        {"localhost:80", "127.0.0.1:80"},
        {"localhost:0", "127.0.0.1:0"},
    };
    char room[OS_LISTEN_TEXT_SIZE];
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(os_listen_resolve(rows[i].address, room, &err), 0);
        assert_string_equal(room, rows[i].numeric);
    }
    assert_int_equal(os_listen_resolve("nonsense", room, &err), LPM_ECONF);
    assert_int_equal(os_listen_resolve("no-such-host.invalid:80", room, &err), LPM_EIO);
    assert_memory_equal(err.text, "cannot listen on no-such-host.invalid:80: ", 42);
    assert_true(strlen(err.text) > 42);
}

static void test_unix(void **state)
{
    (void)state;
    char bound[64];
    struct error err;
    struct stat st;
    int fd;

    umask(077);
    assert_int_equal(os_listen(&fd, "unix:a.sock", -1, bound, sizeof(bound), &err), 0);
    assert_string_equal(bound, "unix:a.sock");
    assert_int_equal(lstat("a.sock", &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0666);
    assert_flags(fd);
    assert_accepts(fd);
    os_listen_close(&fd, "unix:a.sock");
    assert_int_equal(fd, -1);
    assert_int_equal(lstat("a.sock", &st), -1);
    os_listen_close(&fd, "unix:a.sock"); /* nothing is left to do */
}

static void test_unix_live(void **state)
{
    (void)state;
    char bound[64];
    struct error err;
    int a, b;

    assert_int_equal(os_listen(&a, "unix:live.sock", 1, bound, sizeof(bound), &err), 0);
    assert_int_equal(os_listen(&b, "unix:live.sock", 1, bound, sizeof(bound), &err), LPM_EIO);
    assert_string_equal(err.text, "cannot listen on unix:live.sock: Address already in use");

    /* Also while its backlog is full: more tries than it has room for. */
    for (int i = 0; i < 8; i++) {
        assert_int_equal(os_listen(&b, "unix:live.sock", 1, bound, sizeof(bound), &err), LPM_EIO);
        assert_string_equal(err.text, "cannot listen on unix:live.sock: Address already in use");
    }
    int served = 0;
    for (int c; (c = accept(a, NULL, NULL)) >= 0; served++) {
        close(c);
    }
    assert_true(served > 0);
    assert_accepts(a);
    os_listen_close(&a, "unix:live.sock");
    assert_int_equal(access("live.sock", F_OK), -1);
}

static void test_unix_stale(void **state)
{
    (void)state;
    char bound[64];
    struct error err;
    int fd;

    assert_int_equal(os_listen(&fd, "unix:stale.sock", -1, bound, sizeof(bound), &err), 0);
    close(fd); /* as by a process that was killed */
    assert_int_equal(access("stale.sock", F_OK), 0);
    assert_int_equal(os_listen(&fd, "unix:stale.sock", -1, bound, sizeof(bound), &err), 0);
    assert_accepts(fd);
    os_listen_close(&fd, "unix:stale.sock");
}

static void test_unix_other_files(void **state)
{
    (void)state;
    char bound[64];
    struct error err;
    int fd;

    FILE *file = fopen("precious", "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(os_listen(&fd, "unix:precious", -1, bound, sizeof(bound), &err), LPM_EIO);
    assert_string_equal(err.text, "cannot listen on unix:precious: a file that is no socket is there");
    assert_int_equal(symlink("nowhere", "link"), 0);
    assert_int_equal(os_listen(&fd, "unix:link", -1, bound, sizeof(bound), &err), LPM_EIO);
    assert_int_equal(access("precious", F_OK), 0);
    assert_int_equal(os_listen(&fd, "unix:no/such/dir.sock", -1, bound, sizeof(bound), &err), LPM_EIO);
    assert_string_equal(err.text, "cannot listen on unix:no/such/dir.sock: No such file or directory");
}

/* What somebody else has put at our path stays. */
static void test_unix_close_leaves_others(void **state)
{
    (void)state;
    char bound[64];
    struct error err;
    int a, b;

    assert_int_equal(os_listen(&a, "unix:moved.sock", -1, bound, sizeof(bound), &err), 0);
    assert_int_equal(unlink("moved.sock"), 0);
    assert_int_equal(os_listen(&b, "unix:moved.sock", -1, bound, sizeof(bound), &err), 0);
    os_listen_close(&a, "unix:moved.sock");
    assert_int_equal(access("moved.sock", F_OK), 0);
    assert_accepts(b);
    os_listen_close(&b, "unix:moved.sock");
    assert_int_equal(access("moved.sock", F_OK), -1);

    assert_int_equal(os_listen(&a, "unix:moved.sock", -1, bound, sizeof(bound), &err), 0);
    assert_int_equal(unlink("moved.sock"), 0);
    FILE *file = fopen("moved.sock", "w");
    assert_non_null(file);
    fclose(file);
    os_listen_close(&a, "unix:moved.sock");
    assert_int_equal(access("moved.sock", F_OK), 0);
}

/* The file goes though a child has a copy of the descriptor, and nobody connects to that copy any more. */
static void test_unix_close_with_copy(void **state)
{
    (void)state;
    char bound[64];
    struct error err;
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "copy2.sock"};
    int fd;

    assert_int_equal(os_listen(&fd, "unix:copy.sock", -1, bound, sizeof(bound), &err), 0);
    assert_int_equal(link("copy.sock", "copy2.sock"), 0);
    int copy = dup(fd);
    os_listen_close(&fd, "unix:copy.sock");
    assert_int_equal(access("copy.sock", F_OK), -1);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&un, sizeof(un)), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(client);
    close(copy);
}

static void test_bound(void **state)
{
    (void)state;
    char bound[64], address[80];
    struct error err;
    int fd, port;

    assert_int_equal(os_listen(&fd, "127.0.0.1:0", -1, bound, sizeof(bound), &err), 0);
    port = atoi(strchr(bound, ':') + 1);
    assert_true(os_listen_bound(fd, bound));
    snprintf(address, sizeof(address), "localhost:%d", port);
    assert_false(os_listen_bound(fd, address)); /* a name is none before it is resolved */
    assert_false(os_listen_bound(fd, "127.0.0.1:0"));
    assert_false(os_listen_bound(fd, "no address"));
    snprintf(address, sizeof(address), "%d", port);
    assert_false(os_listen_bound(fd, address));
    snprintf(address, sizeof(address), "[::1]:%d", port);
    assert_false(os_listen_bound(fd, address));
    os_listen_close(&fd, bound);

    assert_int_equal(os_listen(&fd, "unix:bound.sock", -1, bound, sizeof(bound), &err), 0);
    assert_true(os_listen_bound(fd, "unix:bound.sock"));
    assert_false(os_listen_bound(fd, "unix:other.sock"));
    os_listen_close(&fd, "unix:bound.sock");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_check_refused),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_tcp_in_use),
        cmocka_unit_test(test_tcp_refused),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_unix_live),
        cmocka_unit_test(test_unix_stale),
        cmocka_unit_test(test_unix_other_files),
        cmocka_unit_test(test_unix_close_leaves_others),
        cmocka_unit_test(test_unix_close_with_copy),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
