/*
 * Notes. Runs in bus and worker. Nothing that comes is believed, and no descriptor of what is refused is kept.
 */
#include "ipc/note.h"

#include <errno.h>
#include <lpm/module.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "ipc/rights.h"

#define MAGIC 0x4e4d504cu

struct text {
    uint32_t magic, slot;
};

int note_send(int socket, const struct note *note)
{
    struct text text = {MAGIC, note->slot};
    struct iovec bytes = {&text, sizeof(text)};
    struct msghdr head = {.msg_iov = &bytes, .msg_iovlen = 1};
    struct rights_room room;
    ssize_t n;

    rights_attach(&head, &room, note->fd);
    do {
        n = sendmsg(socket, &head, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) {
        return 0;
    }
    return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM || errno == ETOOMANYREFS ? LPM_EAGAIN
                                                                                           : LPM_EIO;
}

/* What is wrong with it; NULL if nothing. */
static const char *check(const struct msghdr *head, ssize_t len, const struct text *text, int fd, int rights)
{
    if (rights == LPM_EPROTO) {
        return "several descriptors in one message";
    }
    if (len != (ssize_t)sizeof(*text) || (head->msg_flags & MSG_TRUNC) != 0 || text->magic != MAGIC) {
        return "a message on the socket that tells of no descriptor";
    }
    return fd < 0 && rights == 0 ? "a message on the socket without its descriptor" : NULL;
}

int note_receive(int socket, struct note *note, const char **why)
{
    struct text text = {0, 0};
    struct iovec bytes = {&text, sizeof(text)};
    struct rights_room room;
    struct msghdr head = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof(room)};
    ssize_t n;
    int rights;

    /* A peer that died with unread messages resets the connection: that is said once, before what it had sent. */
    do {
        n = recvmsg(socket, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0) {
        return errno == EAGAIN ? 0 : errno == ENOMEM || errno == ENOBUFS ? LPM_ENOMEM : LPM_EIO;
    }
    rights = rights_take(&head, &note->fd);
    if (n == 0 && note->fd < 0 && rights == 0) {
        return LPM_EIO;
    }
    *why = check(&head, n, &text, note->fd, rights);
    if (*why != NULL) {
        fd_close(&note->fd);
        return LPM_EPROTO;
    }
    note->slot = text.slot;
    return 1;
}
