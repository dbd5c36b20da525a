/*
 * A channel with both ends in the test's own process; or with a worker's end that can do what no worker does.
 */
#ifndef CHANNEL_FIXTURE_H
#define CHANNEL_FIXTURE_H

#include "ipc/channel.h"

#include <dirent.h>
#include <lpm/module.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/share.h"
#include "ipc/store.h"

#define LARGE      (CHANNEL_INLINE_MAX + 4096) /* lies in the store */
#define VERY_LARGE (STORE_MESSAGE_MAX + 4096)  /* has a memfd of its own */

struct pair {
    struct channel *bus, *worker;
    struct share_end raw; /* instead of `worker` */
    int before;
};

static inline int open_descriptors(void)
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

static inline int set_up_bus(struct pair *pair, int *worker)
{
    struct error err;
    int fds[2];

    *pair = (struct pair){.before = open_descriptors()};
    share_init(&pair->raw, -1);
    if (channel_pair(fds, &err) < 0 || channel_new_bus(&pair->bus, fds[0], &err) < 0) {
        return -1;
    }
    *worker = fds[1];
    return 0;
}

static inline int set_up(void **state)
{
    static struct pair pair;
    struct error err;
    int fd;

    *state = &pair;
    return set_up_bus(&pair, &fd) < 0 || channel_new_worker(&pair.worker, fd, 0, &err) < 0;
}

static inline int set_up_raw(void **state)
{
    static struct pair pair;
    struct error err;
    int fd;

    *state = &pair;
    if (set_up_bus(&pair, &fd) < 0) {
        return -1;
    }
    share_init(&pair.raw, fd);
    return share_accept(&pair.raw, 0, &err);
}

static inline int tear_down(void **state)
{
    struct pair *pair = *state;

    if (pair->bus) {
        channel_free(pair->bus);
    }
    if (pair->worker) {
        channel_free(pair->worker);
    }
    share_fini(&pair->raw);
    return open_descriptors() == pair->before ? 0 : -1;
}

/* A message that tells its number and length by every byte. */
static inline char byte_of(size_t number, size_t i)
{
    return (char)(number * 7 + i * 13 + i / 251);
}

static inline int put(struct channel *ch, size_t number, size_t len)
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

static inline void check(const struct channel_message *message, size_t number, size_t len)
{
    assert_int_equal(message->len, len);
    for (size_t i = 0; i < len; i++) {
        if (message->data[i] != byte_of(number, i)) {
            fail_msg("message %zu of %zu bytes: byte %zu", number, len, i);
        }
    }
}

static inline void get(struct channel *ch, size_t number, size_t len)
{
    struct channel_message message;
    const char *why = NULL;

    assert_int_equal(channel_next(ch, &message, &why), 1);
    check(&message, number, len);
    channel_release(ch, &message);
}

static inline void assert_next(struct channel *ch, int expected)
{
    struct channel_message message;
    const char *why = NULL;

    assert_int_equal(channel_next(ch, &message, &why), expected);
    assert_true((why != NULL) == (expected == LPM_EPROTO));
}

/* The same after what the socket may tell. */
static inline void assert_look(struct channel *ch, int expected)
{
    channel_look(ch);
    assert_next(ch, expected);
}

/* An epoll instance that watches a bell. */
static inline int watch(int fd)
{
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLET};
    int loop = epoll_create1(EPOLL_CLOEXEC);

    assert_true(loop >= 0);
    assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &wanted), 0);
    return loop;
}

static inline bool rang(int loop)
{
    struct epoll_event event;
    return epoll_wait(loop, &event, 1, 0) == 1;
}

/* Sends bytes with descriptors, as no honest peer would. */
static inline void send_raw(int socket, const void *bytes, size_t len, const int *fds, size_t fd_count)
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

/* Publishes a slot as it stands; the first is number 0. */
static inline void publish_raw(struct share_end *raw, uint32_t number, const struct ring_slot *slot)
{
    struct ring_cell *cell = &raw->mine->cells[(SHARE_FIRST + number) % RING_SLOTS];

    cell->block = slot->block;
    cell->len = slot->len;
    cell->fd_count = slot->fd_count;
    cell->place = slot->place;
    raw->mine->shown = SHARE_FIRST + number + 1;
}

#endif
