/*
 * Notes: a descriptor on its way over a channel's socket, with the number of the slot to whose message it belongs. It goes
 * before the slot is published, so whoever sees the slot finds it. For the other files of this room.
 */
#ifndef NOTE_H
#define NOTE_H

#include <stdint.h>

/* So many may be on their way, in one direction, for slots that the reader has not read. */
#define NOTE_MAX 32u

struct note {
    uint32_t slot;
    int fd; /* -1: lost on the way, because the receiver had no descriptor left */
};

/* 0, LPM_EAGAIN (the kernel has no room for it now), LPM_EIO (the peer is gone). */
int note_send(int socket, const struct note *note);

/* The next: 1 with the descriptor, the caller's from then on; 0: none now; LPM_EIO: the end; LPM_ENOMEM; LPM_EPROTO: that
 * was no note, `*why` says how. */
int note_receive(int socket, struct note *note, const char **why);

#endif
