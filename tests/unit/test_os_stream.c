/*
 * Streams: the reader knows a clean end from an abort, however the writer goes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lpm/module.h>

#include "os/os_stream.h"

#define BYTES 100000

/* Reads to the end: the number of bytes; errno is 0 at a clean end. */
static size_t read_all(int fd)
{
    static char room[4096];
    size_t count = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;
        assert_int_equal(poll(&p, 1, 10000), 1);
        n = read(fd, room, sizeof(room));
        if (n <= 0) {
            errno = n < 0 ? errno : 0;
            return count;
        }
        count += (size_t)n;
    }
}

static void fill(int fd)
{
    static char bytes[BYTES];
    assert_int_equal(write(fd, bytes, BYTES), BYTES);
}

static void clean_end(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(os_stream_pair(fds), 0);
    fill(fds[1]);
    assert_int_equal(os_stream_end(fds[1]), 0);
    assert_int_equal(read_all(fds[0]), BYTES);
    assert_int_equal(errno, 0);
    close(fds[0]);
}

static void just_closed(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(os_stream_pair(fds), 0);
    fill(fds[1]);
    close(fds[1]);
    assert_int_equal(read_all(fds[0]), BYTES);
    assert_int_equal(errno, ECONNRESET);
    close(fds[0]);
}

static void writer_killed(void **state)
{
    int fds[2], status;
    pid_t pid;

    (void)state;
    assert_int_equal(os_stream_pair(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fill(fds[1]);
        raise(SIGKILL);
    }
    close(fds[1]);
    assert_int_equal(read_all(fds[0]), BYTES);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(fds[0]);
}

static void reader_gone(void **state)
{
    int fds[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(os_stream_pair(fds), 0);
    close(fds[0]);
    assert_int_equal(write(fds[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(fds[1]);
}

static void what_the_bus_may_read(void **state)
{
    int fds[2], file;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(os_stream_check(fds[0]), 0);
    assert_true((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(os_stream_check(fds[0]), LPM_EINVAL);
    file = open("file", O_RDWR | O_CREAT, 0600);
    assert_true(file >= 0);
    assert_int_equal(os_stream_check(file), LPM_EINVAL);
    assert_int_equal(os_stream_end(file), LPM_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(clean_end), cmocka_unit_test(just_closed),
                                       cmocka_unit_test(writer_killed), cmocka_unit_test(reader_gone),
                                       cmocka_unit_test(what_the_bus_may_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
