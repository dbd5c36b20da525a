/*
 * The sending half of a channel: a batch of messages that goes out with one system call. For channel.c.
 */
#ifndef CHANNEL_SEND_H
#define CHANNEL_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANNEL_BATCH       64u           /* messages */
#define CHANNEL_BATCH_BYTES (256u * 1024) /* of inline messages */
#define CHANNEL_BATCH_LARGE 16u           /* messages that go as a memfd */
#define CHANNEL_LARGE_MAGIC UINT64_C(0x31454752414c504c)

/* What is said with the descriptor of a message over CHANNEL_INLINE_MAX: these bytes, and nothing else. */
struct channel_large {
    uint64_t magic;
    uint64_t len;
};

#define CHANNEL_NOTE_MAGIC UINT64_C(0x3145544f4e4d504c)

/* A descriptor that goes with the message behind it travels on its own, with this and a length of 0. */

/* One message of the batch: `len` bytes of the buffer, and its descriptor or -1. */
struct channel_entry {
    uint32_t offset;
    uint32_t len;
    int fd;
};

struct channel_send {
    char *buffer;    /* CHANNEL_BATCH_BYTES */
    uint32_t end;    /* what is used of it */
    uint32_t sent;   /* entries[0 .. sent) are gone ... */
    uint32_t count;  /* ... [sent .. count) wait */
    uint32_t large;  /* of those, with a descriptor */
    bool over;       /* the peer is gone */
    size_t reserved; /* length of the open reservation, or 0 */
    uint32_t notes;  /* its descriptors, the last so many entries */
    char *mapping;   /* of an open large reservation, or NULL */
    int mapping_fd;
    struct channel_entry entries[CHANNEL_BATCH];
};

/* 0 or LPM_ENOMEM. */
int channel_send_init(struct channel_send *s);
void channel_send_fini(struct channel_send *s);

/* As channel_reserve() and so on. */
char *channel_send_reserve(struct channel_send *s, int fd, size_t len, const int *fds, unsigned fd_count,
                           int *code);
void channel_send_commit(struct channel_send *s);
void channel_send_drop(struct channel_send *s);
int channel_send_flush(struct channel_send *s, int fd);

#endif
