/*
 * core/ipc/channel: messages of every size arrive in order, nothing is lost when the peer dies, and nothing that a
 * hostile peer sends is taken or leaks.
 */
#include "ipc/channel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

#define ALL_SEALS   (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define LARGE_MAGIC UINT64_C(0x31454752414c504c)
#define LARGE       (CHANNEL_INLINE_MAX + 4096)

struct pair {
    struct channel *bus, *worker;
    int raw; /* instead of `worker`: its socket */
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

/* What the worker's end has first: the board, as a descriptor. */
static int take_board(int socket)
{
    char bytes[8];
    struct iovec part = {bytes, sizeof(bytes)};
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    struct msghdr head = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    int fd;

    assert_int_equal(recvmsg(socket, &head, MSG_CMSG_CLOEXEC), sizeof(bytes));
    assert_non_null(CMSG_FIRSTHDR(&head));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&head)), sizeof(fd));
    return fd;
}

static int set_up(void **state)
{
    static struct pair pair;
    struct error err;
    int fds[2];

    pair = (struct pair){.raw = -1, .before = open_descriptors()};
    *state = &pair;
    return channel_pair(fds, &err) < 0 || channel_new_bus(&pair.bus, fds[0], &err) < 0 ||
           channel_new_worker(&pair.worker, fds[1], 0, &err) < 0;
}

/* The worker's end as a bare socket. */
static int set_up_raw(void **state)
{
    static struct pair pair;
    struct error err;
    int fds[2];

    pair = (struct pair){.before = open_descriptors()};
    *state = &pair;
    if (channel_pair(fds, &err) < 0 || channel_new_bus(&pair.bus, fds[0], &err) < 0) {
        return -1;
    }
    pair.raw = fds[1];
    close(take_board(pair.raw));
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;

    if (pair->bus != NULL) {
        channel_free(pair->bus);
    }
    if (pair->worker != NULL) {
        channel_free(pair->worker);
    }
    if (pair->raw >= 0) {
        close(pair->raw);
    }
    return open_descriptors() == pair->before ? 0 : -1;
}

/* A message that tells its number and length by every byte. */
static char byte_of(size_t number, size_t i)
{
    return (char)(number * 7 + i * 13 + i / 251);
}

static int put(struct channel *ch, size_t number, size_t len)
{
    int code = 1;
    char *room = channel_reserve(ch, len, &code);

    if (room == NULL) {
        return code;
    }
    for (size_t i = 0; i < len; i++) {
        room[i] = byte_of(number, i);
    }
    channel_commit(ch);
    return 0;
}

static void check(const struct channel_message *message, size_t number, size_t len)
{
    assert_int_equal(message->len, len);
    for (size_t i = 0; i < len; i++) {
        if (message->data[i] != byte_of(number, i)) {
            fail_msg("message %zu of %zu bytes: byte %zu", number, len, i);
        }
    }
}

static void get(struct channel *ch, size_t number, size_t len)
{
    struct channel_message message;
    const char *why = NULL;

    assert_int_equal(channel_next(ch, &message, &why), 1);
    check(&message, number, len);
    channel_release(ch, &message);
}

static void assert_next(struct channel *ch, int expected)
{
    struct channel_message message;
    const char *why = NULL;

    assert_int_equal(channel_next(ch, &message, &why), expected);
    assert_true((why != NULL) == (expected == LPM_EPROTO));
}

static const size_t sizes[] = {1,     2,     63,    4095,  4096,        4097,    16383, 16384,
                               16385, 20000, 65536, 65537, 1024 * 1024, 3000001, 16,    1};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void every_size_in_both_directions(void **state)
{
    struct pair *pair = *state;

    for (int direction = 0; direction < 2; direction++) {
        struct channel *from = direction == 0 ? pair->bus : pair->worker;
        struct channel *to = direction == 0 ? pair->worker : pair->bus;

        for (size_t i = 0; i < SIZES; i++) {
            assert_int_equal(put(from, i, sizes[i]), 0);
        }
        assert_true(channel_pending(from));
        assert_next(to, 0);
        assert_int_equal(channel_flush(from), 0);
        assert_false(channel_pending(from));
        for (size_t i = 0; i < SIZES; i++) {
            get(to, i, sizes[i]);
        }
        assert_next(to, 0);
    }
}

/* Many more than fit anywhere: the sender is told, and what it had committed arrives. */
static void nothing_is_lost_when_full(void **state)
{
    struct pair *pair = *state;
    size_t sent = 0, received = 0;

    for (int turn = 0; turn < 40; turn++) {
        int rc = 0;
        while ((rc = put(pair->worker, sent, sizes[sent % SIZES] % 20000 + 1)) == 0) {
            sent++;
        }
        assert_int_equal(rc, LPM_EAGAIN);
        assert_int_equal(channel_flush(pair->worker), LPM_EAGAIN);
        assert_true(channel_pending(pair->worker));
        /* Part of it only, so that the batch goes on in its middle. */
        for (int i = 0; i < 37; i++, received++) {
            get(pair->bus, received, sizes[received % SIZES] % 20000 + 1);
        }
    }
    while (received < sent) {
        get(pair->bus, received, sizes[received % SIZES] % 20000 + 1);
        received++;
        channel_flush(pair->worker);
    }
    assert_next(pair->bus, 0);
    assert_false(channel_waiting(pair->bus));
    assert_false(channel_pending(pair->worker));
}

static void a_full_channel_becomes_writable(void **state)
{
    struct pair *pair = *state;
    struct pollfd waited = {.fd = channel_fd(pair->bus), .events = POLLOUT};
    size_t sent = 0, received = 0;

    while (put(pair->bus, sent, 100) == 0) {
        sent++;
    }
    assert_int_equal(poll(&waited, 1, 0), 0);
    while (received < sent - 64) {
        get(pair->worker, received++, 100);
    }
    assert_int_equal(poll(&waited, 1, 0), 1);
    assert_true(waited.revents & POLLOUT);
    assert_int_equal(channel_flush(pair->bus), 0);
    while (received < sent) {
        get(pair->worker, received++, 100);
    }
    assert_next(pair->worker, 0);
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

static void a_dropped_reservation_leaves_nothing(void **state)
{
    static const size_t dropped[] = {1, CHANNEL_INLINE_MAX, LARGE};
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

/* The worker shares the board with the bus: it must not be able to take it away under the bus's eyes. */
static void the_board_is_sealed(void **state)
{
    struct error err;
    int fds[2], board;
    struct channel *bus;

    (void)state;
    assert_int_equal(channel_pair(fds, &err), 0);
    assert_int_equal(channel_new_bus(&bus, fds[0], &err), 0);
    board = take_board(fds[1]);
    assert_int_equal(fcntl(board, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    assert_int_equal(ftruncate(board, 0), -1);
    assert_int_equal(fcntl(board, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
    close(board);
    close(fds[1]);
    channel_free(bus);
}

/* Sends bytes with descriptors, as no honest peer would. */
static void send_raw(int socket, const void *bytes, size_t len, const int *fds, size_t fd_count)
{
    struct iovec part = {(void *)(uintptr_t)bytes, len};
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(4 * sizeof(int))] = {0};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd_count > 0) {
        struct cmsghdr *cmsg;
        head.msg_control = room;
        head.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        cmsg = CMSG_FIRSTHDR(&head);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(cmsg), fds, fd_count * sizeof(int));
    }
    assert_int_equal(sendmsg(socket, &head, MSG_NOSIGNAL), len);
}

static int make_memfd(size_t len, bool filled, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)len), 0);
    for (size_t i = 0; filled && i < len; i++) {
        char byte = byte_of(9, i);
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)i), 1);
    }
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

enum kind { MEMFD, HOLES, PIPE, FILE_ON_DISK, DIRECTORY, SOCKET };

static int make_descriptor(enum kind kind, size_t len, int seals)
{
    int fds[2];

    switch (kind) {
    case MEMFD:
        return make_memfd(len, true, seals);
    case HOLES:
        return make_memfd(len, false, seals);
    case PIPE:
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        close(fds[1]);
        return fds[0];
    case FILE_ON_DISK:
        return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    case DIRECTORY:
        return open("/", O_RDONLY | O_CLOEXEC);
    default:
        return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
}

static const struct {
    const char *what;
    enum kind kind;
    size_t size; /* of the memfd */
    int seals;
    uint64_t magic, announced;
    size_t len; /* of the message */
    size_t fd_count;
} hostile[] = {
    {"a message over the limit", MEMFD, LARGE, ALL_SEALS, LARGE_MAGIC, LARGE, CHANNEL_INLINE_MAX + 1, 0},
    {"with a descriptor, over the limit", MEMFD, LARGE, ALL_SEALS, LARGE_MAGIC, LARGE, CHANNEL_INLINE_MAX + 1,
     1},
    {"two descriptors", MEMFD, LARGE, ALL_SEALS, LARGE_MAGIC, LARGE, 16, 2},
    {"four descriptors", MEMFD, LARGE, ALL_SEALS, LARGE_MAGIC, LARGE, 16, 4},
    {"a descriptor with a short message", MEMFD, LARGE, ALL_SEALS, LARGE_MAGIC, LARGE, 15, 1},
    {"a descriptor with a long message", MEMFD, LARGE, ALL_SEALS, LARGE_MAGIC, LARGE, 17, 1},
    {"a descriptor with nothing", MEMFD, LARGE, ALL_SEALS, LARGE_MAGIC, LARGE, 0, 1},
    {"another magic", MEMFD, LARGE, ALL_SEALS, LARGE_MAGIC + 1, LARGE, 16, 1},
    {"a small memfd", MEMFD, CHANNEL_INLINE_MAX, ALL_SEALS, LARGE_MAGIC, CHANNEL_INLINE_MAX, 16, 1},
    {"an empty memfd", MEMFD, 0, ALL_SEALS, LARGE_MAGIC, 0, 16, 1},
    {"one byte less than said", MEMFD, LARGE - 1, ALL_SEALS, LARGE_MAGIC, LARGE, 16, 1},
    {"one byte more than said", MEMFD, LARGE + 1, ALL_SEALS, LARGE_MAGIC, LARGE, 16, 1},
    {"more than allowed", HOLES, CHANNEL_MESSAGE_MAX + 1, ALL_SEALS, LARGE_MAGIC, CHANNEL_MESSAGE_MAX + 1, 16,
     1},
    {"2^64 - 1", HOLES, LARGE, ALL_SEALS, LARGE_MAGIC, UINT64_MAX, 16, 1},
    {"no seals", MEMFD, LARGE, 0, LARGE_MAGIC, LARGE, 16, 1},
    {"not against shrinking", MEMFD, LARGE, ALL_SEALS & ~F_SEAL_SHRINK, LARGE_MAGIC, LARGE, 16, 1},
    {"not against growing", MEMFD, LARGE, ALL_SEALS & ~F_SEAL_GROW, LARGE_MAGIC, LARGE, 16, 1},
    {"not against writing", MEMFD, LARGE, ALL_SEALS & ~F_SEAL_WRITE, LARGE_MAGIC, LARGE, 16, 1},
    {"against writing in future only", MEMFD, LARGE, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE,
     LARGE_MAGIC, LARGE, 16, 1},
    {"holes", HOLES, LARGE, ALL_SEALS, LARGE_MAGIC, LARGE, 16, 1},
    {"a pipe", PIPE, 0, 0, LARGE_MAGIC, LARGE, 16, 1},
    {"a file", FILE_ON_DISK, 0, 0, LARGE_MAGIC, LARGE, 16, 1},
    {"a directory", DIRECTORY, 0, 0, LARGE_MAGIC, LARGE, 16, 1},
    {"a socket", SOCKET, 0, 0, LARGE_MAGIC, LARGE, 16, 1},
};

/* The message before is delivered; then the channel is over, whatever comes after; and no descriptor is left. */
static void hostile_messages(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        static char bytes[CHANNEL_INLINE_MAX + 1];
        struct channel_message message;
        const char *why = NULL;
        struct pair *pair;
        void *state;
        int fds[4], rc;

        assert_int_equal(set_up_raw(&state), 0);
        pair = state;
        fds[0] = fds[1] = fds[2] = fds[3] =
            make_descriptor(hostile[i].kind, hostile[i].size, hostile[i].seals);
        assert_true(fds[0] >= 0);
        memset(bytes, 0, sizeof(bytes));
        memcpy(bytes, &hostile[i].magic, 8);
        memcpy(bytes + 8, &hostile[i].announced, 8);
        send_raw(pair->raw, "before", 6, NULL, 0);
        send_raw(pair->raw, bytes, hostile[i].len, fds, hostile[i].fd_count);
        send_raw(pair->raw, "after", 5, NULL, 0);
        send_raw(pair->raw, "fds", 3, fds, 4);
        close(fds[0]);

        assert_int_equal(channel_next(pair->bus, &message, &why), 1);
        channel_release(pair->bus, &message);
        rc = channel_next(pair->bus, &message, &why);
        if (rc != LPM_EPROTO || why == NULL) {
            fail_msg("%s: %d", hostile[i].what, rc);
        }
        assert_next(pair->bus, LPM_EPROTO);
        assert_false(channel_waiting(pair->bus));
        if (tear_down(&state) != 0) {
            fail_msg("%s: left descriptors behind", hostile[i].what);
        }
    }
}

/* The same by hand as an honest peer does it: the cases above are refused for what they say. */
static void a_sound_memfd_is_taken(void **state)
{
    struct pair *pair = *state;
    uint64_t announce[2] = {LARGE_MAGIC, LARGE};
    int fd = make_memfd(LARGE, true, ALL_SEALS);

    send_raw(pair->raw, announce, sizeof(announce), &fd, 1);
    send_raw(pair->raw, announce, sizeof(announce), NULL, 0);
    close(fd);
    get(pair->bus, 9, LARGE);
    {
        /* Without a descriptor those bytes are a message like any other. */
        struct channel_message message;
        const char *why;
        assert_int_equal(channel_next(pair->bus, &message, &why), 1);
        assert_int_equal(message.len, sizeof(announce));
        channel_release(pair->bus, &message);
    }
}

/* Nobody can write to a large message once the receiver has it. */
static void a_large_message_is_sealed(void **state)
{
    struct pair *pair = *state;
    char bytes[16];
    struct iovec part = {bytes, sizeof(bytes)};
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    struct msghdr head = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    int fd;

    assert_int_equal(put(pair->bus, 1, LARGE), 0);
    assert_int_equal(channel_flush(pair->bus), 0);
    assert_int_equal(recvmsg(pair->raw, &head, 0), sizeof(bytes));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&head)), sizeof(fd));
    assert_int_equal(fcntl(fd, F_GET_SEALS), ALL_SEALS | F_SEAL_SEAL);
    close(fd);
}

/* Nothing in a message means the end in this kind of socket. */
static void an_empty_message_is_the_end(void **state)
{
    struct pair *pair = *state;

    send_raw(pair->raw, "", 0, NULL, 0);
    send_raw(pair->raw, "x", 1, NULL, 0);
    assert_next(pair->bus, LPM_EIO);
    assert_next(pair->bus, LPM_EIO);
}

static void the_peer_closes(void **state)
{
    struct pair *pair = *state;

    assert_int_equal(put(pair->worker, 0, 10), 0);
    assert_int_equal(put(pair->worker, 1, LARGE), 0);
    assert_int_equal(channel_flush(pair->worker), 0);
    channel_free(pair->worker);
    pair->worker = NULL;

    assert_int_equal(put(pair->bus, 0, 10), 0);
    assert_int_equal(put(pair->bus, 0, LARGE), 0);
    assert_int_equal(channel_flush(pair->bus), LPM_EIO);
    assert_int_equal(channel_flush(pair->bus), LPM_EIO);
    assert_false(channel_pending(pair->bus));
    assert_int_equal(put(pair->bus, 0, 10), LPM_EIO);
    get(pair->bus, 0, 10);
    get(pair->bus, 1, LARGE);
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
        if (put(ch, i, sizes[i % SIZES] % 30000 + 1) < 0) {
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
 * It dies with messages of the bus unread. Linux then reports a reset to the bus, once, though what the dead one had
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
        assert_int_equal(put(bus, i, 100), 0);
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
        assert_int_equal(put(bus, 0, 100), 0);
        assert_int_equal(channel_flush(bus), LPM_EIO);
    }
    for (size_t i = 0; i < count; i++) {
        get(bus, i, sizes[i % SIZES] % 30000 + 1);
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

static void ignore(int signal)
{
    (void)signal;
}

/* Signals interrupt the wait for the board, and do not prolong it. */
static void the_board_does_not_come(void **state)
{
    struct sigaction act = {.sa_handler = ignore}, old;
    struct itimerval often = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
    struct error err = {""};
    struct channel *worker;
    uint64_t start = clock_now(), took;
    int fds[2];

    (void)state;
    assert_int_equal(channel_pair(fds, &err), 0);
    assert_int_equal(sigaction(SIGALRM, &act, &old), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    assert_int_equal(channel_new_worker(&worker, fds[1], 50, &err), LPM_ETIMEDOUT);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
    took = clock_now() - start;
    assert_true(took >= 50 * CLOCK_NS_PER_MS && took < 5 * CLOCK_NS_PER_S);
    assert_non_null(strstr(err.text, "50 ms"));
    /* The descriptor was closed. */
    assert_int_equal(send(fds[0], "x", 1, MSG_NOSIGNAL), -1);
    close(fds[0]);
}

static void the_bus_is_gone(void **state)
{
    struct error err = {""};
    struct channel *ch;
    int fds[2], before = open_descriptors();

    (void)state;
    assert_int_equal(channel_pair(fds, &err), 0);
    close(fds[0]);
    assert_int_equal(channel_new_worker(&ch, fds[1], 5000, &err), LPM_EIO);
    assert_true(err.text[0] != '\0');
    assert_int_equal(channel_pair(fds, &err), 0);
    close(fds[1]);
    err.text[0] = '\0';
    assert_int_equal(channel_new_bus(&ch, fds[0], &err), LPM_EIO);
    assert_true(err.text[0] != '\0');
    assert_int_equal(open_descriptors(), before);
}

static void what_is_no_board(void **state)
{
    static const uint32_t greeting[] = {0x424d504c, 1}, other[] = {0x424d504c, 2};
    static const struct {
        const char *what;
        const void *bytes;
        size_t len, fd_count, size;
        int seals;
    } rows[] = {
        {"no descriptor", greeting, 8, 0, 4096, F_SEAL_SHRINK | F_SEAL_GROW},
        {"two descriptors", greeting, 8, 2, 4096, F_SEAL_SHRINK | F_SEAL_GROW},
        {"another version", other, 8, 1, 4096, F_SEAL_SHRINK | F_SEAL_GROW},
        {"a short greeting", greeting, 7, 1, 4096, F_SEAL_SHRINK | F_SEAL_GROW},
        {"another size", greeting, 8, 1, 8192, F_SEAL_SHRINK | F_SEAL_GROW},
        {"no seals", greeting, 8, 1, 4096, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int before = open_descriptors(), fds[2], given[2], rc;
        struct error err = {""};
        struct channel *ch;

        assert_int_equal(channel_pair(fds, &err), 0);
        given[0] = given[1] = make_memfd(rows[i].size, true, rows[i].seals);
        send_raw(fds[0], rows[i].bytes, rows[i].len, given, rows[i].fd_count);
        rc = channel_new_worker(&ch, fds[1], 5000, &err);
        close(given[0]);
        close(fds[0]);
        if (rc != LPM_EPROTO || err.text[0] == '\0' || open_descriptors() != before) {
            fail_msg("%s: %d", rows[i].what, rc);
        }
    }
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

#define TEST(name)     cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define RAW_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_raw, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pair_is_private_and_non_blocking),
        TEST(every_size_in_both_directions),
        TEST(nothing_is_lost_when_full),
        TEST(a_full_channel_becomes_writable),
        TEST(messages_stay_until_released),
        TEST(a_dropped_reservation_leaves_nothing),
        TEST(flush_with_an_open_reservation),
        TEST(reservations_that_are_refused),
        TEST(no_descriptor_is_not_the_end),
        TEST(freed_in_the_middle),
        TEST(the_board),
        cmocka_unit_test(the_board_is_sealed),
        cmocka_unit_test(hostile_messages),
        RAW_TEST(a_sound_memfd_is_taken),
        RAW_TEST(a_large_message_is_sealed),
        RAW_TEST(an_empty_message_is_the_end),
        TEST(the_peer_closes),
        cmocka_unit_test(the_peer_dies_with_unread_messages),
        cmocka_unit_test(linux_reports_a_reset_once),
        cmocka_unit_test(the_board_does_not_come),
        cmocka_unit_test(the_bus_is_gone),
        cmocka_unit_test(what_is_no_board),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
