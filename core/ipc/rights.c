/*
 * Descriptors that travel with a message. Runs in master, bus and worker. Whatever comes, no descriptor leaks.
 */
#include "ipc/rights.h"

#include <errno.h>
#include <lpm/module.h>
#include <stdbool.h>
#include <string.h>

#include "base/fd.h"

void rights_attach(struct msghdr *message, struct rights_room *room, int fd)
{
    struct cmsghdr *head;

    memset(room, 0, sizeof(*room));
    message->msg_control = room->bytes;
    message->msg_controllen = sizeof(room->bytes);
    head = CMSG_FIRSTHDR(message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &fd, sizeof(fd));
}

/* The padding of a room for one descriptor has place for a second: the kernel does use it. */
static bool take_all(const struct cmsghdr *head, int *fd)
{
    size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    bool one = *fd < 0 && count == 1;

    for (size_t i = 0; i < count; i++) {
        int got;
        memcpy(&got, CMSG_DATA(head) + i * sizeof(got), sizeof(got));
        if (i == 0 && *fd < 0) {
            *fd = got;
        } else {
            fd_close(&got);
        }
    }
    return one;
}

int rights_take(struct msghdr *message, int *fd)
{
    bool good = (message->msg_flags & MSG_CTRUNC) == 0;

    *fd = -1;
    if (!good && CMSG_FIRSTHDR(message) == NULL) {
        return LPM_ENOMEM;
    }
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL; head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS || !take_all(head, fd)) {
            good = false;
        }
    }
    if (!good) {
        fd_close(fd);
        return LPM_EPROTO;
    }
    return 0;
}

int rights_send(int channel, const void *message, size_t len, int fd)
{
    struct rights_room room;
    struct iovec part = {(void *)(uintptr_t)message, len};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n;

    if (fd >= 0) {
        rights_attach(&head, &room, fd);
    }
    do {
        n = sendmsg(channel, &head, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? LPM_EAGAIN : LPM_EIO;
    }
    return 0;
}

int rights_receive(int channel, void *message, size_t len, int *fd)
{
    struct rights_room room;
    struct iovec part = {message, len};
    struct msghdr head;
    ssize_t n;
    int rc;

    *fd = -1;
    /* A reset (the peer died with unread messages) is reported once, before what the peer had sent. */
    do {
        head = (struct msghdr){
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof(room)};
        n = recvmsg(channel, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0) {
        return errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS ? 0 : LPM_EIO;
    }
    rc = rights_take(&head, fd);
    if (n == 0 && *fd < 0 && rc == 0) {
        return LPM_EIO;
    }
    if (rc == LPM_EPROTO || n != (ssize_t)len || (head.msg_flags & MSG_TRUNC) != 0) {
        fd_close(fd);
        return LPM_EPROTO;
    }
    return rc == 0 ? 1 : rc;
}
