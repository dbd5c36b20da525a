/*
 * core/ipc/channel, the bus's end, against a worker that breaks each rule of it: the channel is over, at once or when it
 * matters, and no descriptor leaks.
 */
#include "channel_fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static const uint32_t note_magic = 0x4e4d504c;

static void send_note(struct share_end *raw, uint32_t number, const int *fds, size_t fd_count)
{
    uint32_t note[] = {note_magic, SHARE_FIRST + number};
    send_raw(raw->socket, note, sizeof(note), fds, fd_count);
}

/* The bus gets a sound message, and then the channel is over. */
static void assert_refused(struct pair *pair, const char *what)
{
    struct channel_message message;
    const char *why = NULL;
    int rc;

    channel_look(pair->bus);
    rc = channel_next(pair->bus, &message, &why);
    if (rc != LPM_EPROTO || why == NULL) {
        fail_msg("%s: %d", what, rc);
    }
    assert_next(pair->bus, LPM_EPROTO);
    assert_false(channel_sweep(pair->bus));
}

static void slots(void **unused)
{
    static const struct {
        const char *what;
        struct ring_slot slot;
        int expected;
    } rows[] = {
        {"a good one", {0, 100, 0, 0}, 1},
        {"the last block", {ARENA_BLOCKS - 1, ARENA_BLOCK, 0, 0}, 1},
        {"the longest", {ARENA_BLOCKS - CHANNEL_INLINE_MAX / ARENA_BLOCK, CHANNEL_INLINE_MAX, 0, 0}, 1},
        {"nothing", {0, 0, 0, 0}, LPM_EPROTO},
        {"one byte behind the end", {ARENA_BLOCKS - 1, ARENA_BLOCK + 1, 0, 0}, LPM_EPROTO},
        {"behind the end", {ARENA_BLOCKS, 1, 0, 0}, LPM_EPROTO},
        {"far behind the end", {UINT32_MAX, 1, 0, 0}, LPM_EPROTO},
        {"where 32 bits wrap", {UINT32_MAX / ARENA_BLOCK + 1, 1, 0, 0}, LPM_EPROTO},
        {"too long", {0, CHANNEL_INLINE_MAX + 1, 0, 0}, LPM_EPROTO},
        {"much too long", {0, UINT32_MAX, 0, 0}, LPM_EPROTO},
        {"three descriptors", {0, 1, 3, 0}, LPM_EPROTO},
        {"descriptors without end", {0, 1, UINT32_MAX, 0}, LPM_EPROTO},
        {"a descriptor that does not come", {0, 1, 1, 0}, LPM_EPROTO},
        {"a memfd that does not come", {0, 1, 0, 1}, LPM_EPROTO},
        {"in a store that did not come", {0, 1, 0, RING_STORE}, LPM_EPROTO},
        {"a new store that does not come", {0, 1, 0, RING_NEW_STORE}, LPM_EPROTO},
        {"another kind", {0, 1, 0, RING_PLACES}, LPM_EPROTO},
        {"both too much", {0, 1, UINT32_MAX, UINT32_MAX}, LPM_EPROTO},
        {"a large one over the limit", {0, (uint32_t)CHANNEL_MESSAGE_MAX + 1, 0, 1}, LPM_EPROTO},
        {"a large one of nothing", {0, 0, 0, 1}, LPM_EPROTO},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct channel_message message;
        const char *why = NULL;
        struct pair *pair;
        void *state;
        int rc;

        assert_int_equal(set_up_raw(&state), 0);
        pair = state;
        publish_raw(&pair->raw, 0, &rows[i].slot);
        rc = channel_next(pair->bus, &message, &why);
        if (rc != rows[i].expected || (rc < 0) != (why != NULL)) {
            fail_msg("%s: %d", rows[i].what, rc);
        }
        if (rc == 1) {
            channel_release(pair->bus, &message);
        } else {
            assert_next(pair->bus, LPM_EPROTO);
        }
        assert_int_equal(tear_down(&state), 0);
    }
}

static void indexes(void **unused)
{
    static const uint32_t ahead[] = {RING_SLOTS + 1, 1u << 31, UINT32_MAX};

    (void)unused;
    for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
        struct pair *pair;
        void *state;
        size_t sent = 0;
        int rc;

        assert_int_equal(set_up_raw(&state), 0);
        pair = state;
        pair->raw.mine->shown = SHARE_FIRST + ahead[i];
        assert_refused(pair, "its own index");
        assert_int_equal(tear_down(&state), 0);

        /* What it says to have read, and to give back, is looked at when room is needed. */
        for (int returns = 0; returns < 2; returns++) {
            assert_int_equal(set_up_raw(&state), 0);
            pair = state;
            sent = 0;
            if (returns) {
                pair->raw.mine->returns.count = SHARE_FIRST + ahead[i] + (i == 0 ? ARENA_BLOCKS : 0);
            } else {
                pair->raw.mine->taken = SHARE_FIRST + ahead[i];
            }
            while ((rc = put(pair->bus, sent, 1000)) == 0) {
                sent++;
            }
            assert_in_range(sent, 1, RING_SLOTS);
            assert_int_equal(rc, LPM_EIO);
            assert_refused(pair, "our index");
            assert_int_equal(tear_down(&state), 0);
        }
    }
}

static void what_was_never_given(void **state)
{
    struct pair *pair = *state;
    size_t sent = 0;

    pair->raw.mine->returns.blocks[SHARE_FIRST % ARENA_BLOCKS] = 5;
    pair->raw.mine->returns.count = SHARE_FIRST + 1;
    while (put(pair->bus, sent, 1000) == 0) {
        sent++;
    }
    assert_refused(pair, "a block");
}

static void what_was_never_given_of_the_store(void **state)
{
    struct pair *pair = *state;

    assert_int_equal(put(pair->bus, 0, LARGE), 0);
    pair->raw.mine->store_returns.blocks[SHARE_FIRST % ARENA_BLOCKS] = 5;
    pair->raw.mine->store_returns.count = SHARE_FIRST + 1;
    assert_int_equal(put(pair->bus, 1, LARGE), LPM_EIO);
    assert_refused(pair, "a block of the store");
}

/* Its own end of the socket tells the bus's loop of it. */
static void a_lie_is_heard_of(void **state)
{
    struct pair *pair = *state;
    struct epoll_event wanted = {.events = EPOLLIN}, event;
    int loop = epoll_create1(EPOLL_CLOEXEC);

    assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, channel_fd(pair->bus), &wanted), 0);
    assert_int_equal(epoll_wait(loop, &event, 1, 0), 0);
    pair->raw.mine->taken = 77;
    while (put(pair->bus, 0, 1000) == 0) {
    }
    assert_int_equal(epoll_wait(loop, &event, 1, 0), 1);
    close(loop);
}

/* Whatever it writes there later, the bus has what it saw. */
static void a_message_is_copied_once(void **state)
{
    struct pair *pair = *state;
    struct channel_message held[3];
    const char *why = NULL;

    for (uint32_t i = 0; i < 3; i++) {
        memset(pair->raw.mine->bytes + i * ARENA_BLOCK, 'a' + (int)i, ARENA_BLOCK);
        publish_raw(&pair->raw, i, &(struct ring_slot){i, 100, 0, 0});
        assert_int_equal(channel_next(pair->bus, &held[i], &why), 1);
    }
    memset(pair->raw.mine->bytes, 'x', ARENA_SIZE);
    for (int i = 0; i < 3; i++) {
        for (size_t j = 0; j < 100; j++) {
            assert_int_equal(held[i].data[j], 'a' + i);
        }
        channel_release(pair->bus, &held[i]);
    }
}

/* A process that the dead one left behind, or one that closed its socket, goes on: that is no worker any more. */
static void what_comes_after_the_end(void **state)
{
    struct pair *pair = *state;

    publish_raw(&pair->raw, 0, &(struct ring_slot){0, 100, 0, 0});
    close(pair->raw.socket);
    pair->raw.socket = -1;
    publish_raw(&pair->raw, 1, &(struct ring_slot){1, 100, 0, 0});
    channel_look(pair->bus);
    for (int i = 0; i < 2; i++) {
        struct channel_message message;
        const char *why;
        assert_int_equal(channel_next(pair->bus, &message, &why), 1);
        channel_release(pair->bus, &message);
    }
    assert_next(pair->bus, LPM_EIO);
    publish_raw(&pair->raw, 2, &(struct ring_slot){2, 100, 0, 0});
    assert_next(pair->bus, LPM_EIO);
    assert_false(channel_waiting(pair->bus));
}

static void a_bell_that_was_not_rung(void **state)
{
    struct pair *pair = *state;
    int loop = watch(pair->raw.bell);
    struct channel_message message;
    const char *why;

    assert_next(pair->bus, 0);
    assert_false(channel_sweep(pair->bus));
    publish_raw(&pair->raw, 0, &(struct ring_slot){0, 100, 0, 0});
    assert_false(channel_sweep(pair->bus)); /* it may be about to ring */
    assert_true(channel_sweep(pair->bus));
    assert_int_equal(channel_next(pair->bus, &message, &why), 1);
    channel_release(pair->bus, &message);
    assert_false(channel_sweep(pair->bus));
    assert_false(channel_sweep(pair->bus));

    /* The other way it is rung again, in case. */
    assert_int_equal(put(pair->bus, 0, 100), 0);
    assert_int_equal(channel_flush(pair->bus), 0);
    assert_true(rang(loop));
    assert_false(channel_sweep(pair->bus));
    assert_false(rang(loop));
    assert_false(channel_sweep(pair->bus));
    assert_true(rang(loop));
    pair->raw.mine->taken = SHARE_FIRST + 1;
    assert_false(channel_sweep(pair->bus));
    assert_false(channel_sweep(pair->bus));
    assert_false(rang(loop));
    close(loop);
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

/* All of it is a hole, and behind its end are as many blocks as it has to have. */
static int make_filled_behind(size_t len, int seals)
{
    int fd = make_memfd(len, false, 0);

    assert_int_equal(fallocate(fd, FALLOC_FL_KEEP_SIZE, 2 * (off_t)len, 2 * (off_t)len), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

/* Without it such holes are not seen. */
static bool has_cachestat(void)
{
    uint64_t range[2] = {0, 1}, state[5];
    int fd = make_memfd(1, true, 0);
    bool has = syscall(451, fd, range, state, 0u) == 0;

    close(fd);
    return has;
}

enum kind { MEMFD, HOLES, BEHIND, PIPE, FILE_ON_DISK, DIRECTORY, SOCKET };

static int make_descriptor(enum kind kind, size_t len, int seals)
{
    int fds[2];

    switch (kind) {
    case MEMFD:
        return make_memfd(len, true, seals);
    case HOLES:
        return make_memfd(len, false, seals);
    case BEHIND:
        return make_filled_behind(len, seals);
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
    uint32_t announced;
} memfds[] = {
    {"an empty memfd", MEMFD, 0, ALL_SEALS, LARGE},
    {"one byte less than said", MEMFD, LARGE - 1, ALL_SEALS, LARGE},
    {"one byte more than said", MEMFD, LARGE + 1, ALL_SEALS, LARGE},
    {"no seals", MEMFD, LARGE, 0, LARGE},
    {"not against shrinking", MEMFD, LARGE, ALL_SEALS & ~F_SEAL_SHRINK, LARGE},
    {"not against growing", MEMFD, LARGE, ALL_SEALS & ~F_SEAL_GROW, LARGE},
    {"not against writing", MEMFD, LARGE, ALL_SEALS & ~F_SEAL_WRITE, LARGE},
    {"against writing in future only", MEMFD, LARGE, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE,
     LARGE},
    {"holes", HOLES, LARGE, ALL_SEALS, LARGE},
    {"holes, and blocks behind its end", BEHIND, LARGE, ALL_SEALS, LARGE},
    {"a pipe", PIPE, 0, 0, LARGE},
    {"a file", FILE_ON_DISK, 0, 0, LARGE},
    {"a directory", DIRECTORY, 0, 0, LARGE},
    {"a socket", SOCKET, 0, 0, LARGE},
};

static void what_is_no_sealed_memfd(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(memfds) / sizeof(memfds[0]); i++) {
        struct pair *pair;
        void *state;
        int fd;

        if (memfds[i].kind == BEHIND && !has_cachestat()) {
            continue;
        }
        assert_int_equal(set_up_raw(&state), 0);
        pair = state;
        fd = make_descriptor(memfds[i].kind, memfds[i].size, memfds[i].seals);
        assert_true(fd >= 0);
        send_note(&pair->raw, 0, &fd, 1);
        close(fd);
        publish_raw(&pair->raw, 0, &(struct ring_slot){0, memfds[i].announced, 0, 1});
        assert_refused(pair, memfds[i].what);
        assert_int_equal(tear_down(&state), 0);
    }
}

/* The same by hand as an honest peer does it, long and short: those above are refused for what they are. */
static void a_sound_memfd_is_taken(void **state)
{
    static const size_t lengths[] = {LARGE, 1};
    struct pair *pair = *state;

    for (uint32_t i = 0; i < 2; i++) {
        int fd = make_memfd(lengths[i], true, ALL_SEALS);
        send_note(&pair->raw, i, &fd, 1);
        close(fd);
        publish_raw(&pair->raw, i, &(struct ring_slot){0, (uint32_t)lengths[i], 0, 1});
        get(pair->bus, 9, lengths[i]);
    }
}

/* Gives the bus a store, whose first message is `slot`. */
static char *give_store(struct share_end *raw, const struct ring_slot *slot)
{
    int fd;
    char *bytes = store_make(&fd);

    assert_non_null(bytes);
    send_note(raw, 0, &fd, 1);
    close(fd);
    memset(bytes, 'a', STORE_SIZE);
    publish_raw(raw, 0, slot);
    return bytes;
}

static void slots_in_a_store(void **unused)
{
    static const uint32_t longest = STORE_MESSAGE_MAX, last = ARENA_BLOCKS - 1;
    static const struct {
        const char *what;
        struct ring_slot slot;
        int expected;
    } rows[] = {
        {"the last block", {last, STORE_BLOCK, 0, RING_STORE}, 1},
        {"the longest", {ARENA_BLOCKS / 2, longest, 0, RING_STORE}, 1},
        {"one byte behind the end", {last, STORE_BLOCK + 1, 0, RING_STORE}, LPM_EPROTO},
        {"the longest, behind the end", {ARENA_BLOCKS / 2 + 1, longest, 0, RING_STORE}, LPM_EPROTO},
        {"behind the end", {ARENA_BLOCKS, 1, 0, RING_STORE}, LPM_EPROTO},
        {"far behind the end", {UINT32_MAX, 1, 0, RING_STORE}, LPM_EPROTO},
        {"where 32 bits wrap", {UINT32_MAX / STORE_BLOCK + 1, 1, 0, RING_STORE}, LPM_EPROTO},
        {"too long", {0, longest + 1, 0, RING_STORE}, LPM_EPROTO},
        {"nothing", {0, 0, 0, RING_STORE}, LPM_EPROTO},
        {"another store that does not come", {0, 1, 0, RING_NEW_STORE}, LPM_EPROTO},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct channel_message message;
        const char *why = NULL;
        struct pair *pair;
        void *state;
        char *bytes;
        int rc;

        assert_int_equal(set_up_raw(&state), 0);
        pair = state;
        bytes = give_store(&pair->raw, &(struct ring_slot){7, 5000, 0, RING_NEW_STORE});
        assert_int_equal(channel_next(pair->bus, &message, &why), 1);
        channel_release(pair->bus, &message);
        publish_raw(&pair->raw, 1, &rows[i].slot);
        rc = channel_next(pair->bus, &message, &why);
        if (rc != rows[i].expected) {
            fail_msg("%s: %d", rows[i].what, rc);
        }
        if (rc == 1) {
            channel_release(pair->bus, &message);
        }
        store_free(bytes);
        assert_int_equal(tear_down(&state), 0);
    }
}

static void a_second_store(void **state)
{
    struct pair *pair = *state;
    struct channel_message message;
    const char *why;
    char *bytes = give_store(&pair->raw, &(struct ring_slot){0, 1, 0, RING_NEW_STORE});
    int fd = make_memfd(1, true, ALL_SEALS);

    assert_int_equal(channel_next(pair->bus, &message, &why), 1);
    channel_release(pair->bus, &message);
    send_note(&pair->raw, 1, &fd, 1);
    close(fd);
    publish_raw(&pair->raw, 1, &(struct ring_slot){0, 1, 0, RING_NEW_STORE});
    assert_refused(pair, "a second store");
    store_free(bytes);
}

/* Whatever is written there later, and whatever that does to other messages, the bus has what it saw. */
static void a_message_in_a_store_is_copied(void **state)
{
    struct pair *pair = *state;
    struct channel_message held;
    const char *why;
    char *bytes = give_store(&pair->raw, &(struct ring_slot){3, LARGE, 0, RING_NEW_STORE});

    assert_int_equal(channel_next(pair->bus, &held, &why), 1);
    memset(bytes, 'x', STORE_SIZE);
    for (size_t i = 0; i < LARGE; i++) {
        assert_int_equal(held.data[i], 'a');
    }
    channel_release(pair->bus, &held);
    store_free(bytes);
}

/* What a reader of it relies on: its pages stay, whatever the peer tries, and nobody else writes to it. */
static void a_store_stays_as_it_is(void **unused)
{
    static const int puncture = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    const char *why = NULL, *seen;
    int fd;
    char *bytes = store_make(&fd);

    (void)unused;
    assert_non_null(bytes);
    seen = store_take(fd, &why);
    assert_non_null(seen);
    bytes[STORE_SIZE - 1] = 'x';
    assert_int_equal(seen[STORE_SIZE - 1], 'x');
    assert_int_equal(fallocate(fd, puncture, 0, STORE_BLOCK * 2), -1);
    assert_int_equal(madvise(bytes, STORE_SIZE, MADV_REMOVE), -1);
    assert_int_equal(ftruncate(fd, 1), -1);
    assert_int_equal(ftruncate(fd, (off_t)STORE_SIZE * 2), -1);
    assert_int_equal(pwrite(fd, "y", 1, 0), -1);
    assert_true(mmap(NULL, STORE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    assert_int_equal(mprotect((void *)(uintptr_t)seen, STORE_SIZE, PROT_READ | PROT_WRITE), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    store_free(seen);
    store_free(bytes);
    close(fd);
}

static void what_is_no_store(void **unused)
{
    static const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE;
    static const struct {
        const char *what;
        off_t size, allocated;
        int seals;
    } rows[] = {
        {"one byte less", STORE_SIZE - 1, STORE_SIZE - 1, seals},
        {"one byte more", STORE_SIZE + 1, STORE_SIZE + 1, seals},
        {"a page missing", STORE_SIZE, STORE_SIZE - 4096, seals},
        {"all missing", STORE_SIZE, 0, seals},
        {"may shrink", STORE_SIZE, STORE_SIZE, seals & ~F_SEAL_SHRINK},
        {"may grow", STORE_SIZE, STORE_SIZE, seals & ~F_SEAL_GROW},
        {"may be punched", STORE_SIZE, STORE_SIZE, seals & ~F_SEAL_FUTURE_WRITE},
        {"a sound one", STORE_SIZE, STORE_SIZE, seals},
    };
    const size_t last = sizeof(rows) / sizeof(rows[0]) - 1;

    (void)unused;
    for (size_t i = 0; i <= last; i++) {
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        const char *why, *seen;

        assert_int_equal(ftruncate(fd, rows[i].size), 0);
        if (rows[i].allocated > 0) {
            assert_int_equal(fallocate(fd, 0, 0, rows[i].allocated), 0);
        }
        assert_int_equal(fcntl(fd, F_ADD_SEALS, rows[i].seals), 0);
        seen = store_take(fd, &why);
        if ((seen != NULL) != (i == last) || (why == NULL) != (i == last)) {
            fail_msg("%s", rows[i].what);
        }
        store_free(seen);
        close(fd);
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

    assert_int_equal(put(pair->bus, 1, VERY_LARGE), 0);
    assert_int_equal(channel_flush(pair->bus), 0);
    assert_int_equal(recvmsg(pair->raw.socket, &head, 0), 8);
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&head)), sizeof(fd));
    assert_int_equal(fcntl(fd, F_GET_SEALS), ALL_SEALS | F_SEAL_SEAL);
    close(fd);
}

static void messages_on_the_socket(void **unused)
{
    static const struct {
        const char *what;
        uint32_t magic; /* to be added */
        size_t len, fd_count;
    } rows[] = {{"rubbish", 1, 8, 0},     {"another magic", 1, 8, 1}, {"a short one", 0, 7, 1},
                {"a long one", 0, 9, 1},  {"very long", 0, 4096, 1},  {"no descriptor", 0, 8, 0},
                {"two of them", 0, 8, 2}, {"four of them", 0, 8, 4},  {"nothing but a descriptor", 0, 0, 1}};

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static uint32_t bytes[1024];
        int fds[4] = {0, 0, 0, 0};
        struct pair *pair;
        void *state;

        assert_int_equal(set_up_raw(&state), 0);
        pair = state;
        bytes[0] = note_magic + rows[i].magic;
        bytes[1] = SHARE_FIRST;
        send_raw(pair->raw.socket, bytes, rows[i].len, fds, rows[i].fd_count);
        assert_refused(pair, rows[i].what);
        assert_int_equal(tear_down(&state), 0);
    }
}

/* Descriptors and slots that do not fit together. */
static void notes_of_other_slots(void **unused)
{
    static const struct {
        const char *what;
        uint32_t fd_count; /* of slot 0 */
        uint32_t notes[3], count;
        int expected;
    } rows[] = {
        {"its own", 2, {0, 0}, 2, 1},
        {"and the next one's", 1, {0, 1}, 2, 1},
        {"none, and the next one's", 0, {1, 255}, 2, 1},
        {"not its own", 1, {1}, 1, LPM_EPROTO},
        {"one too many", 1, {0, 0}, 2, LPM_EPROTO},
        {"none wanted", 0, {0}, 1, LPM_EPROTO},
        {"one too few", 2, {0, 1}, 2, LPM_EPROTO},
        {"the one before's", 1, {UINT32_MAX}, 1, LPM_EPROTO},
        {"one that cannot be there yet", 0, {257}, 1, LPM_EPROTO},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct channel_message message;
        const char *why = NULL;
        struct pair *pair;
        void *state;
        int rc, fd = 0;

        assert_int_equal(set_up_raw(&state), 0);
        pair = state;
        for (uint32_t j = 0; j < rows[i].count; j++) {
            send_note(&pair->raw, rows[i].notes[j], &fd, 1);
        }
        publish_raw(&pair->raw, 0, &(struct ring_slot){0, 10, rows[i].fd_count, 0});
        channel_look(pair->bus);
        rc = channel_next(pair->bus, &message, &why);
        if (rc != rows[i].expected) {
            fail_msg("%s: %d", rows[i].what, rc);
        }
        if (rc == 1) {
            assert_int_equal(message.fd_count, rows[i].fd_count);
            channel_release(pair->bus, &message);
        }
        assert_int_equal(tear_down(&state), 0);
    }
}

static void too_many_notes(void **state)
{
    struct pair *pair = *state;
    int fd = 0;

    for (uint32_t i = 0; i < 33; i++) {
        send_note(&pair->raw, i, &fd, 1);
    }
    assert_refused(pair, "33 notes");
}

/* Nothing in a message means the end in this kind of socket. */
static void an_empty_message_is_the_end(void **state)
{
    struct pair *pair = *state;

    send_raw(pair->raw.socket, "", 0, NULL, 0);
    send_raw(pair->raw.socket, "x", 1, NULL, 0);
    assert_look(pair->bus, LPM_EIO);
    assert_next(pair->bus, LPM_EIO);
}

#define RAW_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_raw, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots),
        cmocka_unit_test(indexes),
        RAW_TEST(what_was_never_given),
        RAW_TEST(what_was_never_given_of_the_store),
        RAW_TEST(a_lie_is_heard_of),
        RAW_TEST(a_message_is_copied_once),
        RAW_TEST(what_comes_after_the_end),
        RAW_TEST(a_bell_that_was_not_rung),
        cmocka_unit_test(what_is_no_sealed_memfd),
        RAW_TEST(a_sound_memfd_is_taken),
        RAW_TEST(a_large_message_is_sealed),
        cmocka_unit_test(slots_in_a_store),
        RAW_TEST(a_second_store),
        RAW_TEST(a_message_in_a_store_is_copied),
        cmocka_unit_test(a_store_stays_as_it_is),
        cmocka_unit_test(what_is_no_store),
        cmocka_unit_test(messages_on_the_socket),
        cmocka_unit_test(notes_of_other_slots),
        RAW_TEST(too_many_notes),
        RAW_TEST(an_empty_message_is_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
