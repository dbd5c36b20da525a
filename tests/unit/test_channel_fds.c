/*
 * core/ipc/channel: descriptors arrive with their message and in order, whatever its size; none leaks, whoever stops in the
 * middle; a receiver without room for one is told so.
 */
#include "ipc/channel.h"
#include "ipc/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LARGE      (CHANNEL_INLINE_MAX + 1) /* lies in the store */
#define VERY_LARGE (STORE_MESSAGE_MAX + 1)  /* has a memfd of its own */

struct pair {
    struct channel *bus, *worker;
    int pipes[2][2];
    int before;
};

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static int set_up(void **state)
{
    static struct pair pair;
    struct error err;
    int fds[2];

    pair = (struct pair){.before = open_descriptors()};
    *state = &pair;
    return pipe(pair.pipes[0]) < 0 || pipe(pair.pipes[1]) < 0 || channel_pair(fds, &err) < 0 ||
           channel_new_bus(&pair.bus, fds[0], &err) < 0 ||
           channel_new_worker(&pair.worker, fds[1], 0, &err) < 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;

    for (int i = 0; i < 4; i++) {
        close(pair->pipes[i / 2][i % 2]);
    }
    if (pair->bus) {
        channel_free(pair->bus);
    }
    if (pair->worker) {
        channel_free(pair->worker);
    }
    return open_descriptors() == pair->before ? 0 : -1;
}

static bool same_file(int a, int b)
{
    struct stat x, y;
    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A message of `number`, with the read ends of the first `fd_count` pipes. */
static int put(struct pair *pair, struct channel *ch, size_t number, size_t len, size_t fd_count)
{
    int fds[] = {pair->pipes[number % 2][0], pair->pipes[1 - number % 2][0]};
    int code = 1;
    char *room = channel_reserve_with(ch, len, fds, (unsigned)fd_count, &code);

    if (!room) {
        return code;
    }
    memset(room, (char)number, len);
    channel_commit(ch);
    return 0;
}

static void get(struct pair *pair, struct channel *ch, size_t number, size_t len, size_t fd_count)
{
    struct channel_message message;
    const char *why = NULL;

    assert_int_equal(channel_next(ch, &message, &why), 1);
    assert_int_equal(message.len, len);
    assert_int_equal(message.data[0], (char)number);
    assert_int_equal(message.data[len - 1], (char)number);
    assert_int_equal(message.fd_count, fd_count);
    for (size_t i = 0; i < fd_count; i++) {
        assert_true(same_file(message.fds[i], pair->pipes[(number + i) % 2][0]));
        assert_true((fcntl(message.fds[i], F_GETFD) & FD_CLOEXEC) != 0);
    }
    channel_release(ch, &message);
}

static const size_t sizes[] = {1, 16, 4096, CHANNEL_INLINE_MAX, LARGE, VERY_LARGE};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void with_messages_of_every_size(void **state)
{
    struct pair *pair = *state;

    for (int direction = 0; direction < 2; direction++) {
        struct channel *from = direction == 0 ? pair->bus : pair->worker;
        struct channel *to = direction == 0 ? pair->worker : pair->bus;
        int open = open_descriptors();

        for (size_t i = 0; i < SIZES * 3; i++) {
            assert_int_equal(put(pair, from, i, sizes[i / 3], i % 3), 0);
        }
        assert_int_equal(channel_flush(from), 0);
        for (size_t i = 0; i < SIZES * 3; i++) {
            get(pair, to, i, sizes[i / 3], i % 3);
        }
        assert_int_equal(open_descriptors(), open);
    }
}

/* Batches end anywhere, between a descriptor and its message too. */
static void many(void **state)
{
    struct pair *pair = *state;
    size_t sent = 0, received = 0;
    int open = open_descriptors();

    for (int turn = 0; turn < 50; turn++) {
        int rc = 0;
        while ((rc = put(pair, pair->bus, sent, sent % 3000 + 1, sent % 3)) == 0) {
            sent++;
        }
        assert_int_equal(rc, LPM_EAGAIN);
        for (int i = 0; i < 17; i++, received++) {
            get(pair, pair->worker, received, received % 3000 + 1, received % 3);
        }
    }
    while (received < sent) {
        get(pair, pair->worker, received, received % 3000 + 1, received % 3);
        received++;
        channel_flush(pair->bus);
    }
    assert_int_equal(open_descriptors(), open);
}

static void the_taker_keeps_it(void **state)
{
    struct pair *pair = *state;
    struct channel_message message;
    const char *why = NULL;
    int open = open_descriptors(), kept;
    char byte;

    assert_int_equal(put(pair, pair->bus, 0, 5, 2), 0);
    assert_int_equal(channel_flush(pair->bus), 0);
    assert_int_equal(channel_next(pair->worker, &message, &why), 1);
    kept = message.fds[0];
    message.fds[0] = -1;
    channel_release(pair->worker, &message);
    assert_int_equal(open_descriptors(), open + 1);
    assert_int_equal(write(pair->pipes[0][1], "x", 1), 1);
    assert_int_equal(read(kept, &byte, 1), 1);
    close(kept);
}

/* A flush in the middle of a reservation must not let its descriptors go before it is known whether it stays. */
static void dropped(void **state)
{
    static const size_t lengths[] = {10, VERY_LARGE};
    struct pair *pair = *state;
    int fds[] = {pair->pipes[0][0], pair->pipes[1][0]}, code;

    for (size_t i = 0; i < 4; i++) {
        int open = open_descriptors();
        assert_int_equal(put(pair, pair->bus, 1, 10, 0), 0);
        assert_non_null(channel_reserve_with(pair->bus, lengths[i % 2], fds, 2, &code));
        if (i < 2) {
            assert_int_equal(channel_flush(pair->bus), 0);
        }
        channel_drop(pair->bus);
        assert_int_equal(open_descriptors(), open);
        assert_int_equal(put(pair, pair->bus, 2, 10, 1), 0);
        assert_int_equal(channel_flush(pair->bus), 0);
        get(pair, pair->worker, 1, 10, 0);
        get(pair, pair->worker, 2, 10, 1);
    }
}

static void refused(void **state)
{
    struct pair *pair = *state;
    int three[3] = {pair->pipes[0][0], pair->pipes[0][0], pair->pipes[0][0]};
    int closed[2] = {pair->pipes[0][0], 9999}, code = 0;
    int open = open_descriptors();

    assert_null(channel_reserve_with(pair->bus, 10, three, 3, &code));
    assert_int_equal(code, LPM_EINVAL);
    assert_null(channel_reserve_with(pair->bus, 10, closed, 2, &code));
    assert_int_equal(code, LPM_ENOMEM);
    assert_int_equal(open_descriptors(), open);
    assert_int_equal(put(pair, pair->bus, 3, 10, 1), 0);
    assert_int_equal(channel_flush(pair->bus), 0);
    get(pair, pair->worker, 3, 10, 1);
}

/* tear_down() counts. */
static void freed_in_the_middle(void **state)
{
    struct pair *pair = *state;
    struct channel_message message;
    const char *why = NULL;

    for (size_t i = 0; i < 8; i++) { /* all in one batch, of which one message is taken */
        assert_int_equal(put(pair, pair->bus, i, 10, 2), 0);
    }
    assert_int_equal(channel_flush(pair->bus), 0);
    assert_int_equal(channel_next(pair->worker, &message, &why), 1);
    channel_release(pair->worker, &message);
    assert_int_equal(put(pair, pair->bus, 9, 10, 2), 0);
}

/* The receiver's table is full: the message arrives and says what it has lost; the channel goes on. */
static void lost_on_the_way(void **state)
{
    struct pair *pair = *state;
    struct channel_message message;
    struct rlimit old, none;
    const char *why = NULL;
    int probe[2], unlimited;

    assert_int_equal(put(pair, pair->bus, 4, 10, 2), 0);
    assert_int_equal(channel_flush(pair->bus), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    unlimited = socketpair(AF_UNIX, SOCK_STREAM, 0, probe) == 0;
    assert_int_equal(channel_next(pair->worker, &message, &why), 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    if (unlimited) { /* valgrind keeps the limit itself, and holds only some calls to it */
        close(probe[0]);
        close(probe[1]);
        channel_release(pair->worker, &message);
        skip();
    }
    assert_int_equal(message.len, 10);
    assert_int_equal(message.fd_count, 2);
    assert_int_equal(message.fds[0], -1);
    assert_int_equal(message.fds[1], -1);
    channel_release(pair->worker, &message);
    assert_int_equal(put(pair, pair->bus, 5, 10, 1), 0);
    assert_int_equal(channel_flush(pair->bus), 0);
    get(pair, pair->worker, 5, 10, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(with_messages_of_every_size),
        TEST(many),
        TEST(the_taker_keeps_it),
        TEST(dropped),
        TEST(refused),
        TEST(freed_in_the_middle),
        TEST(lost_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
