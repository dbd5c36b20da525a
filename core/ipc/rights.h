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

#endif
