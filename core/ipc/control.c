/*
 * Messages between master and bus. Runs in both. A message is whole or it is refused; no descriptor leaks.
 */
#include "ipc/control.h"

#include <errno.h>
#include <lpm/module.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "ipc/rights.h"

_Static_assert(sizeof(struct control) == 32, "no padding: its bytes are sent as they are");

int control_pair(int fds[2], struct error *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
        return error_set(err, LPM_EIO, "cannot make the channel between master and bus: socketpair: %s",
                         strerror(errno));
    }
    return 0;
}

int control_send(int channel, const struct control *message, int fd)
{
    struct rights_room room;
    struct control copy = *message;
    struct iovec part = {&copy, sizeof(copy)};
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

static bool carries(const struct control *message)
{
    return message->type == CONTROL_WORKER_NEW || (message->type == CONTROL_LOG && message->status == 0);
}

static bool sound(const struct control *message, int fd)
{
    return message->type >= CONTROL_WORKER_NEW && message->type < CONTROL_TYPE_END &&
           (fd >= 0) == carries(message);
}

int control_receive(int channel, struct control *message, int *fd)
{
    struct rights_room room;
    struct iovec part = {message, sizeof(*message)};
    struct msghdr head;
    ssize_t n;

    *fd = -1;
    /* A reset (the peer died with unread messages) is reported once, before what the peer had sent. */
    do {
        head = (struct msghdr){
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof(room)};
        n = recvmsg(channel, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0) {
        return errno == EAGAIN ? 0 : LPM_EIO;
    }
    if (rights_take(&head, fd) < 0) {
        return LPM_EPROTO;
    }
    if (n == 0 && *fd < 0) {
        return LPM_EIO;
    }
    if (n != (ssize_t)sizeof(*message) || (head.msg_flags & MSG_TRUNC) != 0 || !sound(message, *fd)) {
        fd_close(fd);
        return LPM_EPROTO;
    }
    return 1;
}
