/*
 * core/ipc/bell: who is passed is woken, and nobody else; a listener is told of each ring, by an edge, without reading, and
 * cannot ring.
 */
#include "ipc/bell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

static void passed(void **state)
{
    static const struct {
        uint32_t asleep_at, before, after;
        bool expected;
    } rows[] = {
        {5, 5, 6, true},
        {5, 4, 6, true},
        {5, 5, 5, false},
        {5, 6, 7, false}, /* it was passed before */
        {5, 3, 5, false}, /* 5 is not published yet */
        {5, 0, 256, true},
        {UINT32_MAX, UINT32_MAX, 0, true},
        {UINT32_MAX, UINT32_MAX - 1, 3, true},
        {0, UINT32_MAX, 0, false},
        {0, UINT32_MAX, 1, true},
        {UINT32_MAX, 0, 100, false},
        {0x80000000, 0, 256, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        _Atomic uint32_t asleep_at;
        bell_arm(&asleep_at, rows[i].asleep_at);
        if (bell_due(&asleep_at, rows[i].before, rows[i].after) != rows[i].expected) {
            fail_msg("row %zu", i);
        }
    }
}

static void called(void **state)
{
    _Atomic uint32_t calls = UINT32_MAX;
    uint32_t answered = UINT32_MAX;

    (void)state;
    assert_false(bell_called(&calls, &answered));
    bell_call(&calls);
    assert_true(bell_called(&calls, &answered));
    assert_false(bell_called(&calls, &answered));
    bell_call(&calls);
    bell_call(&calls);
    assert_true(bell_called(&calls, &answered));
    assert_false(bell_called(&calls, &answered));
}

/* An epoll instance that watches `fd` for edges, as libevent does. */
static int watch(int fd)
{
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLET};
    int loop = epoll_create1(EPOLL_CLOEXEC);

    assert_true(loop >= 0);
    assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &wanted), 0);
    return loop;
}

static int edges(int loop)
{
    struct epoll_event event;
    return epoll_wait(loop, &event, 1, 0);
}

/* The kernel's part of it: by itself and through the listener. */
static void each_ring_is_an_edge(void **state)
{
    int bell = bell_new(), listener = bell_listener(bell);
    int loops[2];

    (void)state;
    assert_true(bell >= 0 && listener >= 0);
    loops[0] = watch(bell);
    loops[1] = watch(listener);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(edges(loops[i]), 0);
    }
    for (int round = 0; round < 100; round++) {
        for (int times = round % 3; times >= 0; times--) {
            bell_ring(bell);
        }
        for (int i = 0; i < 2; i++) {
            assert_int_equal(edges(loops[i]), 1);
            assert_int_equal(edges(loops[i]), 0);
        }
    }
    close(loops[0]);
    close(loops[1]);
    close(listener);
    close(bell);
}

static void a_listener_cannot_ring(void **state)
{
    int bell = bell_new(), listener = bell_listener(bell);
    uint64_t most = UINT64_MAX - 1;

    (void)state;
    assert_int_equal(write(listener, &most, sizeof(most)), -1);
    bell_ring(bell);
    assert_int_equal(read(bell, &most, sizeof(most)), sizeof(most));
    assert_int_equal(most, 1);
    close(listener);
    close(bell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(passed), cmocka_unit_test(called),
                                       cmocka_unit_test(each_ring_is_an_edge),
                                       cmocka_unit_test(a_listener_cannot_ring)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
