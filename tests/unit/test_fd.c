/*
 * Descriptors: which stay open. In forked children, as the test needs its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

#define FIRST 20
#define LAST  40

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

/* Descriptors FIRST to LAST are open; which are the child's exit status tells whether just `want` stays. */
static void run_keep(const int *keep, size_t count, const int *want, size_t want_count)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        int list[16];
        for (size_t i = 0; i < count; i++) {
            list[i] = keep[i];
        }
        for (int fd = FIRST; fd <= LAST; fd++) {
            if (dup2(0, fd) != fd) {
                _exit(2);
            }
        }
        fd_keep_only(count ? list : NULL, count);
        for (int fd = 0; fd < 100; fd++) {
            bool wanted = fd <= 2;
            for (size_t i = 0; i < want_count; i++) {
                wanted = wanted || fd == want[i];
            }
            if (is_open(fd) != wanted) {
                _exit(3);
            }
        }
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_keep_only(void **state)
{
    (void)state;
    static const struct {
        int keep[8];
        size_t count;
        int want[8];
        size_t want_count;
    } cases[] = {
        {{0}, 0, {0}, 0},
        {{25}, 1, {25}, 1},
        {{20, 40}, 2, {20, 40}, 2},
        {{40, 20, 30}, 3, {20, 30, 40}, 3},
        {{30, 30, 30}, 3, {30}, 1},
        {{30, 31, 32}, 3, {30, 31, 32}, 3},
        {{-1, 30}, 2, {30}, 1},
        {{30, -1, 31, -1, 0, 1, 2}, 7, {30, 31}, 2},
        {{-1}, 1, {0}, 0},
        {{30, 77}, 2, {30}, 1},         /* 77 is not open */
        {{2147483647, 30}, 2, {30}, 1}, /* nor can this be */
        {{-2147483647 - 1, 33}, 2, {33}, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        run_keep(cases[i].keep, cases[i].count, cases[i].want, cases[i].want_count);
    }
}

static void test_close(void **state)
{
    (void)state;
    int fd = dup(0), none = -1;
    int number = fd;

    assert_true(fd >= 0);
    fd_close(&fd);
    assert_int_equal(fd, -1);
    assert_false(is_open(number));
    fd_close(&none);
    assert_int_equal(none, -1);
}

/* A connection whose other end takes nothing more: whoever closes it with SO_LINGER waits for that. Somebody else has said so. */
static int open_lingering(int *peer)
{
    const struct linger long_time = {1, 60};
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
    char bytes[65536] = {0};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
    *peer = accept(listener, NULL, NULL);
    close(listener);
    while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
    }
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &long_time, sizeof(long_time)), 0);
    return fd;
}

static void test_close_does_not_wait(void **state)
{
    (void)state;
    alarm(30);
    for (int i = 0; i < 2; i++) {
        int peer, fd = open_lingering(&peer), number = fd;
        (i == 0 ? fd_close : fd_let_go)(&fd);
        assert_int_equal(fd, -1);
        assert_false(is_open(number));
        close(peer);
    }
    alarm(0);
}

/* The other one who has the socket keeps what he has set, and the peer sees the end when he ends. */
static void test_let_go(void **state)
{
    struct linger linger = {0, 0};
    socklen_t len = sizeof(linger);
    int peer, fd = open_lingering(&peer), other = dup(fd), next = dup(fd);
    char bytes[65536];

    (void)state;
    close(next);
    fd_let_go(&fd);
    assert_int_equal(getsockopt(other, SOL_SOCKET, SO_LINGER, &linger, &len), 0);
    assert_int_equal(linger.l_onoff, 1);
    assert_int_equal(linger.l_linger, 60);
    alarm(30);
    fd_let_go(&other);
    while (recv(peer, bytes, sizeof(bytes), 0) > 0) {
    }
    alarm(0);
    close(peer);
    assert_false(is_open(next));
    fd_let_go(&fd);
    assert_int_equal(fd, -1);
}

static void test_reserve_standard(void **state)
{
    (void)state;
    for (int closed = 0; closed < 8; closed++) { /* which of 0, 1, 2, as bits */
        pid_t pid = fork();
        int status;
        assert_true(pid >= 0);
        if (pid == 0) {
            int next = dup(0);
            close(next); /* the lowest number that is free above 2 */
            for (int fd = 0; fd <= 2; fd++) {
                if (closed & (1 << fd)) {
                    close(fd);
                }
            }
            int rc = fd_reserve_standard();
            _exit(rc == 0 && is_open(0) && is_open(1) && is_open(2) && !is_open(next) ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_only),           cmocka_unit_test(test_close),
        cmocka_unit_test(test_close_does_not_wait), cmocka_unit_test(test_let_go),
        cmocka_unit_test(test_reserve_standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
