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

/* As much as the kernel takes, moved on with splice(): the same, and all of it comes first. */
static void spliced(void **state)
{
    static char bytes[65536];
    int fds[2], through[2], end;
    size_t sent = 0, moved = 0;
    ssize_t n;

    (void)state;
    for (int clean = 0; clean < 2; clean++, sent = moved = 0) {
        assert_int_equal(os_stream_pair(fds), 0);
        assert_int_equal(pipe(through), 0);
        while ((n = write(fds[1], bytes, sizeof(bytes))) > 0) {
            sent += (size_t)n;
        }
        assert_true(sent > 100000);
        if (clean) {
            assert_int_equal(os_stream_end(fds[1]), 0);
        } else {
            close(fds[1]);
        }
        while ((n = splice(fds[0], NULL, through[1], NULL, sizeof(bytes), SPLICE_F_NONBLOCK)) > 0) {
            moved += (size_t)n;
            for (; n > 0; n -= end) {
                end = (int)read(through[0], bytes, (size_t)n);
                assert_true(end > 0);
            }
        }
        assert_int_equal(n, clean ? 0 : -1);
        assert_true(clean || errno == ECONNRESET);
        assert_int_equal(moved, sent);
        close(fds[0]);
        close(through[0]);
        close(through[1]);
    }
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
    assert_int_equal(os_stream_end(fds[1]), LPM_EIO);
    assert_int_equal(os_stream_pair(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1); /* which nobody will read */
    close(fds[0]);
    assert_int_equal(os_stream_end(fds[1]), LPM_EIO);
    assert_int_equal(fcntl(fds[1], F_GETFD), -1);
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
    assert_int_equal(os_stream_admit(&file), LPM_EINVAL);
    assert_int_equal(os_stream_end(file), LPM_EIO);
}

/* What is shared with the giver, he can change; so a pipe is opened again. */
static void what_the_giver_cannot_change(void **state)
{
    int fds[2], mine;
    char byte;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    mine = dup(fds[0]);
    assert_int_equal(os_stream_admit(&mine), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, 0), 0);
    assert_int_equal(read(mine, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(write(fds[1], "x", 1), 1);
    close(fds[1]);
    assert_int_equal(read(mine, &byte, 1), 1);
    assert_int_equal(read(mine, &byte, 1), 0);
    close(mine);
    close(fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(clean_end),
                                       cmocka_unit_test(just_closed),
                                       cmocka_unit_test(writer_killed),
                                       cmocka_unit_test(spliced),
                                       cmocka_unit_test(reader_gone),
                                       cmocka_unit_test(what_the_giver_cannot_change),
                                       cmocka_unit_test(what_the_bus_may_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
