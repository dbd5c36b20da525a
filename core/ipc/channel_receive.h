/*
 * The receiving half of a channel: as many messages as wait, with one system call. For channel.c.
 */
#ifndef CHANNEL_RECEIVE_H
#define CHANNEL_RECEIVE_H

#include "ipc/channel.h"

#define CHANNEL_TAKE 32u /* messages to a system call */

struct channel_slot;

struct channel_receive {
    uint32_t at, count;       /* batch[at .. count) are received and not yet handed out */
    int over;                 /* 0, or what channel_next() says from now on */
    const char *why;          /* with LPM_EPROTO */
    int fds[CHANNEL_FDS_MAX]; /* that go with the next message */
    unsigned fd_count;
    struct channel_slot *batch[CHANNEL_TAKE];
    struct channel_slot *spare; /* free ones */
    uint32_t spare_count;
};

void channel_receive_init(struct channel_receive *r);
void channel_receive_fini(struct channel_receive *r);

/* As channel_next() and channel_release(). */
int channel_receive_next(struct channel_receive *r, int fd, struct channel_message *message,
                         const char **why);
void channel_receive_release(struct channel_receive *r, struct channel_message *message);

#endif
