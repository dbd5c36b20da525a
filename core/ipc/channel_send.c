/*
 * The sending half of a channel. Runs in bus and worker. It never waits: what the peer does not take stays in the
 * batch, and a full batch refuses more.
 */
#include "ipc/channel_send.h"

#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "ipc/channel.h"
#include "ipc/memfd.h"
#include "ipc/rights.h"

#define ALIGNMENT   16u
#define LARGE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

int channel_send_init(struct channel_send *s)
{
    *s = (struct channel_send){.mapping_fd = -1};
    s->buffer = malloc(CHANNEL_BATCH_BYTES);
    return s->buffer == NULL ? LPM_ENOMEM : 0;
}

void channel_send_fini(struct channel_send *s)
{
    channel_send_drop(s);
    for (uint32_t i = s->sent; i < s->count; i++) {
        fd_close(&s->entries[i].fd);
    }
    free(s->buffer);
}

/* Moves what waits to the front, when the room behind it does not suffice. */
static void compact(struct channel_send *s)
{
    uint32_t start = s->sent < s->count ? s->entries[s->sent].offset : s->end;

    if (start == 0) {
        return;
    }
    memmove(s->buffer, s->buffer + start, s->end - start);
    memmove(s->entries, s->entries + s->sent, (s->count - s->sent) * sizeof(s->entries[0]));
    s->count -= s->sent;
    s->sent = 0;
    s->end -= start;
    for (uint32_t i = 0; i < s->count; i++) {
        s->entries[i].offset -= start;
    }
}

/* What a message takes of the batch. */
struct need {
    size_t bytes;
    uint32_t entries, descriptors;
};

static bool has_room(const struct channel_send *s, const struct need *need)
{
    return need->entries <= CHANNEL_BATCH - s->count && need->bytes <= CHANNEL_BATCH_BYTES - s->end &&
           need->descriptors <= CHANNEL_BATCH_LARGE - s->large;
}

/* 0, LPM_EAGAIN or LPM_EIO. */
static int make_room(struct channel_send *s, int fd, const struct need *need)
{
    int rc;

    if (has_room(s, need)) {
        return 0;
    }
    rc = channel_send_flush(s, fd);
    if (rc == LPM_EIO) {
        return rc;
    }
    compact(s);
    return has_room(s, need) ? 0 : LPM_EAGAIN;
}

/* A large message is written where the peer will read it. 0 or LPM_ENOMEM. */
static int map_large(struct channel_send *s, size_t len)
{
    void *mapping;
    int fd = memfd_make("lpm-message", len);

    if (fd < 0) {
        return LPM_ENOMEM;
    }
    mapping = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (mapping == MAP_FAILED) {
        fd_close(&fd);
        return LPM_ENOMEM;
    }
    s->mapping = mapping;
    s->mapping_fd = fd;
    return 0;
}

static void append(struct channel_send *s, size_t len, int fd)
{
    s->entries[s->count++] = (struct channel_entry){s->end, (uint32_t)len, fd};
    s->end += ((uint32_t)len + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

static void append_marked(struct channel_send *s, uint64_t magic, size_t len, int fd)
{
    struct channel_large mark = {magic, len};

    memcpy(s->buffer + s->end, &mark, sizeof(mark));
    append(s, sizeof(mark), fd);
    s->large++;
}

/* Takes the descriptors of the open reservation back. */
static void drop_notes(struct channel_send *s)
{
    for (; s->notes > 0; s->notes--) {
        struct channel_entry *entry = &s->entries[--s->count];
        s->end = entry->offset;
        s->large--;
        fd_close(&entry->fd);
    }
}

static int append_notes(struct channel_send *s, const int *fds, unsigned fd_count)
{
    for (unsigned i = 0; i < fd_count; i++) {
        int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        if (fd < 0) {
            drop_notes(s);
            return LPM_ENOMEM;
        }
        append_marked(s, CHANNEL_NOTE_MAGIC, 0, fd);
        s->notes++;
    }
    return 0;
}

static int reserve(struct channel_send *s, int fd, size_t len, const int *fds, unsigned fd_count)
{
    bool large = len > CHANNEL_INLINE_MAX;
    struct need need = {fd_count * sizeof(struct channel_large) +
                            (large ? sizeof(struct channel_large) : len),
                        fd_count + 1, fd_count + (large ? 1 : 0)};
    int rc;

    if (s->over) {
        return LPM_EIO;
    }
    if (len == 0 || s->reserved > 0 || fd_count > CHANNEL_FDS_MAX) {
        return LPM_EINVAL;
    }
    if (len > CHANNEL_MESSAGE_MAX) {
        return LPM_ETOOBIG;
    }
    rc = make_room(s, fd, &need);
    if (rc == 0) {
        rc = append_notes(s, fds, fd_count);
    }
    if (rc == 0 && large) {
        rc = map_large(s, len);
        if (rc < 0) {
            drop_notes(s);
        }
    }
    return rc;
}

char *channel_send_reserve(struct channel_send *s, int fd, size_t len, const int *fds, unsigned fd_count,
                           int *code)
{
    *code = reserve(s, fd, len, fds, fd_count);
    if (*code < 0) {
        return NULL;
    }
    s->reserved = len;
    return s->mapping != NULL ? s->mapping : s->buffer + s->end;
}

/* The kernel refuses to seal what is still mapped for writing. That it refuses otherwise cannot be; if it does, the
 * peer will say so. */
static void append_large(struct channel_send *s)
{
    munmap(s->mapping, s->reserved);
    memfd_seal(s->mapping_fd, LARGE_SEALS);
    append_marked(s, CHANNEL_LARGE_MAGIC, s->reserved, s->mapping_fd);
    s->mapping = NULL;
    s->mapping_fd = -1;
}

void channel_send_commit(struct channel_send *s)
{
    if (s->mapping != NULL) {
        append_large(s);
    } else {
        append(s, s->reserved, -1);
    }
    s->reserved = 0;
    s->notes = 0;
}

void channel_send_drop(struct channel_send *s)
{
    if (s->mapping != NULL) {
        munmap(s->mapping, s->reserved);
        s->mapping = NULL;
        fd_close(&s->mapping_fd);
    }
    drop_notes(s);
    s->reserved = 0;
}

/* The descriptors of an open reservation stand behind what was committed, and may still be taken back. */
static uint32_t committed(const struct channel_send *s)
{
    return s->count - s->notes;
}

/* One sendmmsg() for all that waits: how many went, or -1 with errno. */
static int send_batch(const struct channel_send *s, int fd)
{
    struct mmsghdr heads[CHANNEL_BATCH];
    struct iovec parts[CHANNEL_BATCH];
    struct rights_room rooms[CHANNEL_BATCH_LARGE];
    unsigned count = 0, large = 0;

    for (uint32_t i = s->sent; i < committed(s); i++, count++) {
        const struct channel_entry *entry = &s->entries[i];
        parts[count] = (struct iovec){s->buffer + entry->offset, entry->len};
        heads[count].msg_hdr = (struct msghdr){.msg_iov = &parts[count], .msg_iovlen = 1};
        if (entry->fd >= 0) {
            rights_attach(&heads[count].msg_hdr, &rooms[large++], entry->fd);
        }
    }
    return sendmmsg(fd, heads, count, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void mark_sent(struct channel_send *s, uint32_t count)
{
    for (; count > 0; count--, s->sent++) {
        if (s->entries[s->sent].fd >= 0) {
            fd_close(&s->entries[s->sent].fd);
            s->large--;
        }
    }
    /* An open reservation stands behind the last entry and must stay there. */
    if (s->sent == s->count && s->reserved == 0) {
        s->sent = s->count = s->end = 0;
    }
}

int channel_send_flush(struct channel_send *s, int fd)
{
    if (s->over) {
        return LPM_EIO;
    }
    while (s->sent < committed(s)) {
        int n = send_batch(s, fd);
        if (n >= 0) {
            mark_sent(s, (uint32_t)n);
        } else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM || errno == ETOOMANYREFS) {
            return LPM_EAGAIN;
        } else if (errno != EINTR) {
            s->over = true;
            return LPM_EIO;
        }
    }
    return 0;
}
