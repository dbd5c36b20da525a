/*
 * The sending half of a channel: what is committed stands in the ring, and is the peer's at the next flush. For channel.c.
 */
#ifndef CHANNEL_SEND_H
#define CHANNEL_SEND_H

#include "ipc/channel.h"
#include "ipc/note.h"
#include "ipc/share.h"

struct channel_send {
    const struct share_end *end;
    struct ring_writer ring;
    struct arena arena, store;
    char *store_bytes; /* NULL: not made yet */
    int store_fd;      /* -1 when the peer has it, or it is not made */

    struct note notes[NOTE_MAX];                 /* by these numbers, which run free: */
    uint32_t note_oldest, note_next, note_count; /* not known to be read; not sent; not made */

    size_t reserved;       /* length of the open reservation, or 0 */
    enum ring_place place; /* where it is */
    uint32_t block;        /* in the arena or the store */
    char *mapping;         /* of a memfd */
    int mapping_fd;
    int fds[CHANNEL_FDS_MAX]; /* our copies of its descriptors */
    unsigned fd_count;

    bool over;       /* the peer is gone, or */
    const char *why; /* what it wrote that cannot be; NULL */
    bool swept;      /* see channel_send_sweep() */
    uint32_t swept_at;
};

void channel_send_init(struct channel_send *s, const struct share_end *end);
void channel_send_fini(struct channel_send *s);

/* As channel_reserve_with() and so on. */
char *channel_send_reserve(struct channel_send *s, size_t len, const int *fds, unsigned fd_count, int *code);
void channel_send_commit(struct channel_send *s);
void channel_send_drop(struct channel_send *s);
int channel_send_flush(struct channel_send *s);

/* Rings again if the peer sleeps, as it did at the last sweep, before what it has not read. */
void channel_send_sweep(struct channel_send *s);

#endif
