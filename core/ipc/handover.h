/*
 * What a bus that is retired says to the one that serves: here is a connection of that module, with what the module wants to
 * be known of it. Over a SOCK_SEQPACKET socketpair of their own, which the master makes.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <stdint.h>

#include "base/error.h"

#define HANDOVER_DATA_MAX 60

struct handover {
    char module[64 + 1];
    uint8_t len; /* of `data` */
    char data[HANDOVER_DATA_MAX];
};

/* Makes the two ends, non-blocking, close-on-exec; fds[0] is the sender's. 0 or LPM_EIO. */
int handover_pair(int fds[2], struct error *err);

/* Sends `fd`, which stays the caller's. 0; LPM_EAGAIN (full); LPM_EIO (gone). */
int handover_send(int channel, const struct handover *message, int fd);

/* 1 with a message, checked, and `*fd`, the caller's from then on; 0: none now; LPM_EIO: the peer is gone; LPM_EPROTO: no
 * message of this form; LPM_ENOMEM: it is lost, because this process had no descriptor left. */
int handover_receive(int channel, struct handover *message, int *fd);

#endif
