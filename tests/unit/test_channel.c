/*
 * core/ipc/channel: messages of every size arrive in order, who sleeps is woken and who is awake is not, and nothing is
 * lost when the peer dies.
 */
#include "channel_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const size_t sizes[] = {1,     2,     63,    127,   128,   129,         4096,    16383, 65536,
                               81919, 81920, 81921, 90000, 81920, 1024 * 1024, 3000001, 16,    1};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void every_size_in_both_directions(void **state)
{
    struct pair *pair = *state;

    for (int direction = 0; direction < 2; direction++) {
        struct channel *from = direction == 0 ? pair->bus : pair->worker;
        struct channel *to = direction == 0 ? pair->worker : pair->bus;

        for (size_t first = 0; first < SIZES; first += 9) {
            for (size_t i = first; i < first + 9; i++) {
                assert_int_equal(put(from, i, sizes[i]), 0);
            }
            assert_true(channel_pending(from));
            assert_next(to, 0);
            assert_int_equal(channel_flush(from), 0);
            assert_false(channel_pending(from));
            for (size_t i = first; i < first + 9; i++) {
                get(to, i, sizes[i]);
            }
            assert_next(to, 0);
        }
    }
}

/* Many more than fit anywhere: the sender is told, and what it had committed arrives. */
static void nothing_is_lost_when_full(void **state)
{
    struct pair *pair = *state;
    size_t sent = 0, received = 0;

    for (int turn = 0; turn < 200; turn++) {
        int rc = 0;
        while ((rc = put(pair->worker, sent, sizes[sent % SIZES] % 20000 + 1)) == 0) {
            sent++;
        }
        assert_int_equal(rc, LPM_EAGAIN);
        assert_false(channel_pending(pair->worker));
        for (int i = 0; i < 17; i++, received++) {
            get(pair->bus, received, sizes[received % SIZES] % 20000 + 1);
        }
    }
    while (received < sent) {
        get(pair->bus, received, sizes[received % SIZES] % 20000 + 1);
        received++;
    }
    assert_next(pair->bus, 0);
    assert_false(channel_waiting(pair->bus));
    assert_true(sent > 3000);
}

/* Short ones fill the slots, not the memory. */
static void as_many_as_there_are_slots(void **state)
{
    struct pair *pair = *state;

    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < RING_SLOTS; i++) {
            assert_int_equal(put(pair->bus, i, 1), 0);
        }
        assert_int_equal(put(pair->bus, 0, 1), LPM_EAGAIN);
        for (size_t i = 0; i < RING_SLOTS; i++) {
            get(pair->worker, i, 1);
        }
        assert_next(pair->worker, 0);
    }
}

/* Who was refused is told by his bell when the other has read all, and by nothing before. */
static void room_rings(void **state)
{
    struct pair *pair = *state;

    for (int direction = 0; direction < 2; direction++) {
        struct channel *from = direction == 0 ? pair->bus : pair->worker;
        struct channel *to = direction == 0 ? pair->worker : pair->bus;
        int loop = watch(channel_bell(from));
        size_t sent = 0;

        rang(loop);
        while (put(from, sent, 3000) == 0) {
            sent++;
        }
        for (size_t i = 0; i < sent; i++) {
            get(to, i, 3000);
            assert_true(i + 1 == sent || !rang(loop));
        }
        assert_next(to, 0);
        assert_true(rang(loop));
        assert_int_equal(put(from, 1, 3000), 0);
        assert_next(to, 0);
        assert_false(rang(loop));
        assert_int_equal(channel_flush(from), 0);
        get(to, 1, 3000);
        close(loop);
    }
}

/* Or when he gives back what he held. */
static void a_release_rings(void **state)
{
    enum { MANY = 10 };
    struct pair *pair = *state;
    struct channel_message held[MANY];
    int loop = watch(channel_bell(pair->bus));
    const char *why;

    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(put(pair->bus, i, 10000), 0);
    }
    assert_int_equal(channel_flush(pair->bus), 0);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(channel_next(pair->worker, &held[i], &why), 1);
    }
    while (put(pair->bus, 0, 50000) == 0) {
    }
    rang(loop);
    while (channel_next(pair->worker, &held[0], &why) == 1) {
        channel_release(pair->worker, &held[0]);
    }
    assert_true(rang(loop));
    close(loop);
    for (size_t i = 1; i < MANY; i++) {
        channel_release(pair->worker, &held[i]);
    }
}

/* A receiver may hold as many as it likes, and let them go in any order. */
static void messages_stay_until_released(void **state)
{
    enum { HELD = 300 };
    static struct channel_message held[HELD];
    struct pair *pair = *state;
    const char *why;

    for (size_t i = 0; i < HELD; i++) {
        assert_int_equal(put(pair->bus, i, sizes[i % SIZES] % 70000 + 1), 0);
        assert_int_equal(channel_flush(pair->bus), 0);
        assert_int_equal(channel_next(pair->worker, &held[i], &why), 1);
    }
    for (size_t i = 0; i < HELD; i++) {
        size_t j = i * 7 % HELD;
        check(&held[j], j, sizes[j % SIZES] % 70000 + 1);
        channel_release(pair->worker, &held[j]);
    }
}

/* One that holds a little everywhere leaves no place for a long message: that goes into the store, and waits for nobody. */
static void what_is_held_stops_nobody(void **state)
{
    enum { HELD = 40 };
    static struct channel_message held[HELD];
    struct pair *pair = *state;
    const char *why;

    for (size_t i = 0; i < HELD; i++) {
        struct channel_message passing;
        assert_int_equal(put(pair->bus, i, 10), 0);
        assert_int_equal(put(pair->bus, i, 6000), 0);
        assert_int_equal(channel_flush(pair->bus), 0);
        assert_int_equal(channel_next(pair->worker, &held[i], &why), 1);
        assert_int_equal(held[i].kind, CHANNEL_PLACE);
        assert_int_equal(channel_next(pair->worker, &passing, &why), 1);
        channel_release(pair->worker, &passing);
    }
    for (size_t i = 0; i < 5; i++) {
        struct channel_message message;
        assert_int_equal(put(pair->bus, i, 60000), 0);
        assert_int_equal(channel_flush(pair->bus), 0);
        assert_int_equal(channel_next(pair->worker, &message, &why), 1);
        assert_int_equal(message.kind, CHANNEL_STORE);
        check(&message, i, 60000);
        channel_release(pair->worker, &message);
    }
    for (size_t i = 0; i < HELD; i++) {
        check(&held[i], i, 10);
        channel_release(pair->worker, &held[i]);
    }
    assert_int_equal(put(pair->bus, 1, 60000), 0);
    assert_int_equal(channel_flush(pair->bus), 0);
    get(pair->worker, 1, 60000);
}

/* The same of the store: the next message has a memfd of its own. */
static void what_is_held_of_the_store_stops_nobody(void **state)
{
    enum { LONG = 600 * 1024 };
    static struct channel_message held[8];
    struct pair *pair = *state;
    const char *why;

    for (int direction = 0; direction < 2; direction++) {
        struct channel *from = direction == 0 ? pair->bus : pair->worker;
        struct channel *to = direction == 0 ? pair->worker : pair->bus;

        for (size_t i = 0; i < 8; i++) {
            assert_int_equal(put(from, i, LONG), 0);
            assert_int_equal(channel_flush(from), 0);
            assert_int_equal(channel_next(to, &held[i], &why), 1);
            /* At most half of it is read in its place, and the bus reads nothing there. */
            assert_int_equal(held[i].kind, direction == 0 && i < 3 ? CHANNEL_STORE : CHANNEL_COPY);
        }
        assert_int_equal(put(from, 8, VERY_LARGE), 0);
        assert_int_equal(channel_flush(from), 0);
        get(to, 8, VERY_LARGE);
        for (size_t i = 0; i < 8; i++) {
            check(&held[i], i, LONG);
            channel_release(to, &held[i]);
        }
    }
}

/* Sent and not read, they fill the store: the sender waits, and is told. */
static void a_full_store(void **state)
{
    enum { LONG = 600 * 1024 };
    struct pair *pair = *state;

    for (size_t round = 0; round < 3; round++) {
        size_t sent = 0;
        int loop = watch(channel_bell(pair->worker)), rc;

        while ((rc = put(pair->worker, sent, LONG)) == 0) {
            sent++;
        }
        assert_int_equal(rc, LPM_EAGAIN);
        assert_int_equal(sent, STORE_SIZE / LONG);
        rang(loop);
        for (size_t i = 0; i < sent; i++) {
            get(pair->bus, i, LONG);
        }
        assert_next(pair->bus, 0);
        assert_true(rang(loop));
        close(loop);
    }
}

/* Many that the arena has no room for go into the store; short ones wait. */
static void the_store_takes_what_the_arena_has_not(void **state)
{
    struct pair *pair = *state;
    size_t sent = 0;

    while (put(pair->bus, sent, 65536) == 0) {
        sent++;
    }
    assert_int_equal(sent, (ARENA_SIZE + STORE_SHORT * STORE_BLOCK) / 65536);
    for (size_t i = 0; i < sent; i++) {
        get(pair->worker, i, 65536);
    }
    for (sent = 0; put(pair->bus, sent, 4096) == 0;) {
        sent++;
    }
    assert_int_equal(sent, ARENA_SIZE / 4096);
    for (size_t i = 0; i < sent; i++) {
        get(pair->worker, i, 4096);
    }
}

/* The store of a message that was dropped goes with the next. */
static void a_store_of_a_dropped_message(void **state)
{
    struct pair *pair = *state;
    int code, before = open_descriptors();

    assert_non_null(channel_reserve(pair->bus, LARGE, &code));
    channel_drop(pair->bus);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(put(pair->bus, i, i == 0 ? 10 : LARGE), 0);
        assert_int_equal(channel_flush(pair->bus), 0);
        get(pair->worker, i, i == 0 ? 10 : LARGE);
    }
    assert_int_equal(open_descriptors(), before);
}

static void a_dropped_reservation_leaves_nothing(void **state)
{
    static const size_t dropped[] = {1, CHANNEL_INLINE_MAX, VERY_LARGE};
    struct pair *pair = *state;
    int code;

    for (size_t i = 0; i < 3; i++) {
        int before = open_descriptors();
        assert_non_null(channel_reserve(pair->bus, dropped[i], &code));
        channel_drop(pair->bus);
        assert_int_equal(open_descriptors(), before);
        assert_false(channel_pending(pair->bus));
        assert_int_equal(put(pair->bus, i, 10), 0);
        assert_int_equal(channel_flush(pair->bus), 0);
        get(pair->worker, i, 10);
        assert_next(pair->worker, 0);
    }
}

/* A flush may come between a reservation and its end: what was written must stay in its place. */
static void flush_with_an_open_reservation(void **state)
{
    struct pair *pair = *state;
    int code;
    char *room;

    assert_int_equal(put(pair->bus, 0, 500), 0);
    room = channel_reserve(pair->bus, 3, &code);
    assert_non_null(room);
    memcpy(room, "abc", 3);
    assert_int_equal(channel_flush(pair->bus), 0);
    channel_commit(pair->bus);
    assert_int_equal(put(pair->bus, 2, 700), 0);
    assert_int_equal(channel_flush(pair->bus), 0);
    get(pair->worker, 0, 500);
    {
        struct channel_message message;
        const char *why;
        assert_int_equal(channel_next(pair->worker, &message, &why), 1);
        assert_int_equal(message.len, 3);
        assert_memory_equal(message.data, "abc", 3);
        channel_release(pair->worker, &message);
    }
    get(pair->worker, 2, 700);
}

static void reservations_that_are_refused(void **state)
{
    struct pair *pair = *state;
    int code = 0;

    assert_null(channel_reserve(pair->bus, 0, &code));
    assert_int_equal(code, LPM_EINVAL);
    assert_null(channel_reserve(pair->bus, CHANNEL_MESSAGE_MAX + 1, &code));
    assert_int_equal(code, LPM_ETOOBIG);
    assert_null(channel_reserve(pair->bus, SIZE_MAX, &code));
    assert_int_equal(code, LPM_ETOOBIG);
    assert_non_null(channel_reserve(pair->bus, 1, &code));
    assert_null(channel_reserve(pair->bus, 1, &code));
    assert_int_equal(code, LPM_EINVAL);
}

/* Without a descriptor for its memfd a large message is refused, and the channel goes on. */
static void no_descriptor_is_not_the_end(void **state)
{
    struct pair *pair = *state;
    struct rlimit old, none;
    int code = 0;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_null(channel_reserve(pair->bus, LARGE, &code));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(code, LPM_ENOMEM);
    assert_int_equal(put(pair->bus, 1, LARGE), 0);
    assert_int_equal(channel_flush(pair->bus), 0);
    get(pair->worker, 1, LARGE);
}

/* Queued and received messages of every kind are freed with the channel. */
static void freed_in_the_middle(void **state)
{
    struct pair *pair = *state;

    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(put(pair->bus, i, i % 2 == 0 ? LARGE : 10), 0);
    }
    assert_int_equal(channel_flush(pair->bus), 0);
    get(pair->worker, 0, LARGE);
    assert_true(channel_waiting(pair->worker));
    channel_look(pair->worker);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(put(pair->bus, i, i % 2 == 0 ? LARGE : 10), 0);
    }
}

static void the_board(void **state)
{
    struct pair *pair = *state;

    assert_int_equal(channel_started(pair->bus), 0);
    assert_int_equal(channel_running(pair->bus), 0);
    channel_show_started(pair->worker, UINT32_MAX);
    channel_show_running(pair->worker, 5);
    assert_true(channel_started(pair->bus) == UINT32_MAX);
    assert_int_equal(channel_running(pair->bus), 5);
    channel_show_running(pair->worker, 0);
    assert_int_equal(channel_running(pair->bus), 0);
    assert_true(channel_started(pair->bus) == UINT32_MAX);
}

/* No ring for who is awake: he will look by himself. */
static void only_a_sleeper_is_rung_for(void **state)
{
    struct pair *pair = *state;

    for (int direction = 0; direction < 2; direction++) {
        struct channel *from = direction == 0 ? pair->bus : pair->worker;
        struct channel *to = direction == 0 ? pair->worker : pair->bus;
        int loop = watch(channel_bell(to));

        assert_next(to, 0);
        for (size_t round = 0; round < 600; round++) {
            assert_int_equal(put(from, 0, 100), 0);
            assert_false(rang(loop));
            assert_int_equal(channel_flush(from), 0);
            assert_true(rang(loop));
            assert_int_equal(put(from, 1, 100), 0);
            assert_int_equal(channel_flush(from), 0);
            get(to, 0, 100);
            assert_int_equal(put(from, 2, 100), 0);
            assert_int_equal(channel_flush(from), 0);
            assert_false(rang(loop));
            get(to, 1, 100);
            assert_true(channel_waiting(to));
            get(to, 2, 100);
            if (round % 2) {
                assert_next(to, 0);
            } else {
                assert_false(channel_waiting(to)); /* is as good */
            }
        }
        close(loop);
    }
}

/* The worker sends more than there is room for, while the bus reads it. */
static void run_sender(int fd, size_t count)
{
    struct channel *ch;
    struct error err;

    if (channel_new_worker(&ch, fd, 5000, &err) < 0) {
        _exit(1);
    }
    for (size_t i = 0; i < count; i++) {
        int rc;
        while ((rc = put(ch, i, i * 37 % 9000 + 1)) == LPM_EAGAIN) {
            if (channel_wait(ch) < 0) {
                _exit(2);
            }
        }
        if (rc < 0 || channel_flush(ch) < 0) {
            _exit(3);
        }
    }
    while (channel_wait(ch) == 0) {
    }
    _exit(0);
}

static void the_worker_waits_for_room(void **state)
{
    enum { MANY = 5000 };
    struct error err;
    struct channel *bus;
    size_t received = 0;
    int fds[2], status, loop;
    pid_t child;

    (void)state;
    assert_int_equal(channel_pair(fds, &err), 0);
    assert_int_equal(channel_new_bus(&bus, fds[0], &err), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(fds[0]);
        run_sender(fds[1], MANY);
    }
    close(fds[1]);
    loop = watch(channel_bell(bus));
    while (received < MANY) {
        struct channel_message message;
        struct epoll_event event;
        const char *why;
        int rc = channel_next(bus, &message, &why);

        if (rc == 1) {
            check(&message, received, received * 37 % 9000 + 1);
            channel_release(bus, &message);
            received++;
            continue;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(epoll_wait(loop, &event, 1, 10000), 1);
    }
    close(loop);
    channel_shut(bus);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    channel_free(bus);
}

/* It sees that when it sends, though it has not heard of the end. */
static void the_bus_ends_it(void **state)
{
    struct pair *pair = *state;

    assert_int_equal(put(pair->bus, 5, 50), 0);
    assert_int_equal(channel_flush(pair->bus), 0);
    assert_int_equal(put(pair->worker, 0, 50), 0);
    channel_shut(pair->bus);
    assert_int_equal(channel_wait(pair->worker), LPM_EIO);
    assert_int_equal(channel_flush(pair->worker), LPM_EIO);
    assert_int_equal(put(pair->worker, 0, 50), LPM_EIO);
    get(pair->worker, 5, 50);
    assert_next(pair->worker, LPM_EIO);
}

static void the_peer_closes(void **state)
{
    struct pair *pair = *state;

    assert_int_equal(put(pair->worker, 0, 10), 0);
    assert_int_equal(put(pair->worker, 1, LARGE), 0);
    assert_int_equal(channel_flush(pair->worker), 0);
    channel_free(pair->worker);
    pair->worker = NULL;

    /* Memory does not tell; the socket does. */
    assert_int_equal(put(pair->bus, 0, 10), 0);
    assert_int_equal(channel_flush(pair->bus), 0);
    assert_int_equal(put(pair->bus, 0, LARGE), 0);
    assert_int_equal(channel_flush(pair->bus), LPM_EIO);
    assert_int_equal(channel_flush(pair->bus), LPM_EIO);
    assert_false(channel_pending(pair->bus));
    assert_int_equal(put(pair->bus, 0, 10), LPM_EIO);
    get(pair->bus, 0, 10);
    get(pair->bus, 1, LARGE);
    assert_look(pair->bus, LPM_EIO);
    assert_next(pair->bus, LPM_EIO);
    assert_next(pair->bus, LPM_EIO);
}

/* The worker: answers `count` messages, reads none, and dies. */
static void run_victim(int fd, size_t count, bool by_signal)
{
    struct channel *ch;
    struct error err;

    if (channel_new_worker(&ch, fd, 5000, &err) < 0) {
        _exit(1);
    }
    channel_show_started(ch, 77);
    for (size_t i = 0; i < count; i++) {
        if (put(ch, i, sizes[i % SIZES] % 5000 + 1) < 0) {
            _exit(2);
        }
    }
    if (channel_flush(ch) < 0) {
        _exit(3);
    }
    if (by_signal) {
        raise(SIGKILL);
    }
    _exit(0);
}

/*
 * It dies with messages of the bus unread. Linux then reports a reset on the socket, once, though what the dead one had
 * sent can still be read; `flush_after` has the bus meet the broken pipe first.
 */
static void dies_unread(size_t count, bool by_signal, bool flush_after)
{
    struct error err;
    struct channel *bus;
    int fds[2], status, before = open_descriptors();
    pid_t child;

    assert_int_equal(channel_pair(fds, &err), 0);
    assert_int_equal(channel_new_bus(&bus, fds[0], &err), 0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(put(bus, i, i % 2 ? 100 : LARGE), 0);
    }
    assert_int_equal(channel_flush(bus), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(fds[0]);
        run_victim(fds[1], count, by_signal);
    }
    close(fds[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(by_signal ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);

    if (flush_after) {
        assert_int_equal(put(bus, 0, VERY_LARGE), 0);
        assert_int_equal(channel_flush(bus), LPM_EIO);
    }
    channel_look(bus);
    for (size_t i = 0; i < count; i++) {
        get(bus, i, sizes[i % SIZES] % 5000 + 1);
    }
    assert_next(bus, LPM_EIO);
    assert_next(bus, LPM_EIO);
    assert_int_equal(channel_started(bus), 77);
    channel_free(bus);
    assert_int_equal(open_descriptors(), before);
}

static void the_peer_dies_with_unread_messages(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        dies_unread(40, variant & 1, variant & 2);
        dies_unread(0, variant & 1, variant & 2);
    }
}

/* What the two above rely on, so that a kernel which does otherwise is noticed here. */
static void linux_reports_a_reset_once(void **state)
{
    char byte;
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(send(fds[0], "a", 1, 0), 1);
    assert_int_equal(send(fds[1], "b", 1, 0), 1);
    close(fds[1]);
    assert_int_equal(recv(fds[0], &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(recv(fds[0], &byte, 1, 0), 1);
    assert_int_equal(recv(fds[0], &byte, 1, 0), 0);
    close(fds[0]);
}

static void pair_is_private_and_non_blocking(void **state)
{
    struct error err;
    int fds[2];

    (void)state;
    assert_int_equal(channel_pair(fds, &err), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        close(fds[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pair_is_private_and_non_blocking),
        TEST(every_size_in_both_directions),
        TEST(nothing_is_lost_when_full),
        TEST(as_many_as_there_are_slots),
        TEST(room_rings),
        TEST(a_release_rings),
        TEST(messages_stay_until_released),
        TEST(what_is_held_stops_nobody),
        TEST(what_is_held_of_the_store_stops_nobody),
        TEST(a_full_store),
        TEST(the_store_takes_what_the_arena_has_not),
        TEST(a_store_of_a_dropped_message),
        TEST(a_dropped_reservation_leaves_nothing),
        TEST(flush_with_an_open_reservation),
        TEST(reservations_that_are_refused),
        TEST(no_descriptor_is_not_the_end),
        TEST(freed_in_the_middle),
        TEST(the_board),
        TEST(only_a_sleeper_is_rung_for),
        cmocka_unit_test(the_worker_waits_for_room),
        TEST(the_bus_ends_it),
        TEST(the_peer_closes),
        cmocka_unit_test(the_peer_dies_with_unread_messages),
        cmocka_unit_test(linux_reports_a_reset_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
