/*
 * Messages from one bus to the next: what is sent arrives; what is none is refused, and leaves no descriptor behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/handover.h"
#include "ipc/rights.h"

static int next_fd(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static void test_there(void **state)
{
    struct handover out = {.module = "http", .len = 3, .data = "abc"}, in;
    struct error err;
    int fds[2], fd, sent = 0, lowest;

    (void)state;
    assert_int_equal(handover_pair(fds, &err), 0);
    assert_int_equal(handover_receive(fds[1], &in, &fd), 0);
    while (handover_send(fds[0], &out, 0) == 0) {
        sent++;
    }
    assert_int_equal(handover_send(fds[0], &out, 0), LPM_EAGAIN);
    close(fds[0]); /* what was sent is there all the same */
    lowest = next_fd();
    for (int i = 0; i < sent; i++) {
        assert_int_equal(handover_receive(fds[1], &in, &fd), 1);
        assert_memory_equal(&in, &out, sizeof(in));
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        close(fd);
    }
    assert_int_equal(handover_receive(fds[1], &in, &fd), LPM_EIO);
    assert_int_equal(next_fd(), lowest);
    close(fds[1]);
}

static void test_refused(void **state)
{
    struct handover good = {.module = "http"}, bad[3] = {good, good, good}, in;
    size_t lengths[3] = {sizeof(good), sizeof(good), sizeof(good) - 1};
    int passed[3] = {0, 0, 0};
    struct error err;

    (void)state;
    bad[0].len = HANDOVER_DATA_MAX + 1;
    memset(bad[1].module, 'a', sizeof(bad[1].module));
    for (size_t i = 0; i <= 3; i++) {
        int fds[2], fd, lowest;
        assert_int_equal(handover_pair(fds, &err), 0);
        lowest = next_fd();
        assert_int_equal(i < 3 ? rights_send(fds[0], &bad[i], lengths[i], passed[i])
                               : rights_send(fds[0], &good, sizeof(good), -1), /* nothing comes along */
                         0);
        assert_int_equal(handover_receive(fds[1], &in, &fd), LPM_EPROTO);
        assert_int_equal(next_fd(), lowest);
        close(fds[0]);
        close(fds[1]);
    }
    {
        int fds[2];
        assert_int_equal(handover_pair(fds, &err), 0);
        close(fds[1]);
        assert_int_equal(handover_send(fds[0], &good, 0), LPM_EIO);
        close(fds[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_there), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
