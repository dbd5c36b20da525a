/*
 * Descriptors that travel with a message over a unix socket. For the other files of this room.
 */
#ifndef RIGHTS_H
#define RIGHTS_H

#include <sys/socket.h>

/* What a message's control data may take: one descriptor. */
struct rights_room {
    _Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];
};

/* Puts `fd` into `message`, with `room` as its control data. */
void rights_attach(struct msghdr *message, struct rights_room *room, int fd);

/* Takes what came with `message`: 0 with `*fd`, the caller's from then on, or -1; LPM_EPROTO, everything closed, when
 * it was not one descriptor; LPM_ENOMEM: the process has no descriptor left, and the kernel dropped what came. */
int rights_take(struct msghdr *message, int *fd);

/* One message of a SEQPACKET socket, `len` bytes of one form, with `fd` if that is not -1 (it stays the caller's), without
 * waiting: 0; LPM_EAGAIN (full); LPM_EIO (gone). */
int rights_send(int channel, const void *message, size_t len, int fd);

/* 1 with a message of `len` bytes (and `*fd`, the caller's from then on, or -1); 0: none now; LPM_EIO: the peer is gone;
 * LPM_EPROTO: no message of this length; LPM_ENOMEM: a message whose descriptor is lost, as in rights_take(). */
int rights_receive(int channel, void *message, size_t len, int *fd);

#endif
