/*
 * The receiving half of a channel. Runs in bus and worker. Nothing that comes is believed: what breaks the rules ends
 * the channel with LPM_EPROTO, and no descriptor or memory of it is kept.
 */
#include "ipc/channel_receive.h"

#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "ipc/channel_send.h"
#include "ipc/memfd.h"
#include "ipc/rights.h"

/* Up to here copying is cheaper than to go on with a buffer that is in no cache. */
#define COPY_MAX (CHANNEL_INLINE_MAX / 4)

/* hand_out(): it was a descriptor, which waits for its message. */
#define HANDED_NOTE 2

#define SPARE_MAX    CHANNEL_TAKE
#define NEEDED_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Room for one message, and what came in it. */
struct channel_slot {
    struct channel_slot *next;
    size_t len;
    int fd;
    bool truncated;
    int rights; /* what rights_take() returned */
    struct rights_room room;
    char data[CHANNEL_INLINE_MAX];
};

void channel_receive_init(struct channel_receive *r)
{
    *r = (struct channel_receive){0};
}

void channel_receive_fini(struct channel_receive *r)
{
    for (uint32_t i = 0; i < CHANNEL_TAKE; i++) {
        if (r->batch[i] != NULL && i >= r->at && i < r->count) {
            fd_close(&r->batch[i]->fd);
        }
        free(r->batch[i]);
    }
    while (r->fd_count > 0) {
        fd_close(&r->fds[--r->fd_count]);
    }
    while (r->spare != NULL) {
        struct channel_slot *slot = r->spare;
        r->spare = slot->next;
        free(slot);
    }
}

/* Fills the places of the batch whose buffers were given away. How many there are now: fewer without memory. */
static unsigned refill(struct channel_receive *r)
{
    for (unsigned i = 0; i < CHANNEL_TAKE; i++) {
        if (r->batch[i] != NULL) {
            continue;
        }
        if (r->spare != NULL) {
            r->batch[i] = r->spare;
            r->spare = r->spare->next;
            r->spare_count--;
        } else {
            r->batch[i] = malloc(sizeof(*r->batch[i]));
        }
        if (r->batch[i] == NULL) {
            return i;
        }
    }
    return CHANNEL_TAKE;
}

static void take_in(struct channel_slot *slot, struct mmsghdr *head)
{
    slot->len = head->msg_len;
    slot->truncated = (head->msg_hdr.msg_flags & MSG_TRUNC) != 0;
    slot->rights = rights_take(&head->msg_hdr, &slot->fd);
}

/* 1: there are messages; 0: none now; LPM_EIO, LPM_ENOMEM. */
static int receive(struct channel_receive *r, int fd)
{
    struct mmsghdr heads[CHANNEL_TAKE];
    struct iovec parts[CHANNEL_TAKE];
    unsigned room = refill(r);
    int n;

    if (room == 0) {
        return LPM_ENOMEM;
    }
    for (unsigned i = 0; i < room; i++) {
        struct channel_slot *slot = r->batch[i];
        parts[i] = (struct iovec){slot->data, sizeof(slot->data)};
        heads[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i],
                                           .msg_iovlen = 1,
                                           .msg_control = slot->room.bytes,
                                           .msg_controllen = sizeof(slot->room)};
    }
    /* A peer that died with unread messages resets the connection: that is said once, before what it had sent. */
    do {
        n = recvmmsg(fd, heads, room, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
    } while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0) {
        return errno == EAGAIN ? 0 : errno == ENOMEM || errno == ENOBUFS ? LPM_ENOMEM : LPM_EIO;
    }
    for (int i = 0; i < n; i++) {
        take_in(r->batch[i], &heads[i]);
    }
    r->at = 0;
    r->count = (unsigned)n;
    return n > 0;
}

/* What is wrong with this message; NULL if nothing. `*note`: it is a descriptor for the next, or was: then it is lost
 * because none was left here, and whoever gets the message is told so. */
static const char *check(const struct channel_receive *r, const struct channel_slot *slot, size_t *large_len,
                         bool *note)
{
    bool lost = slot->rights == LPM_ENOMEM;
    struct channel_large large;

    *note = false;
    if (slot->rights == LPM_EPROTO) {
        return "several descriptors with one message";
    }
    if (slot->truncated) {
        return "a message over the limit";
    }
    if (slot->fd < 0 && !lost) {
        return NULL;
    }
    if (slot->len != sizeof(large)) {
        return "a descriptor where none belongs";
    }
    memcpy(&large, slot->data, sizeof(large));
    if (large.magic == CHANNEL_NOTE_MAGIC && large.len == 0) {
        *note = true;
        return r->fd_count < CHANNEL_FDS_MAX ? NULL : "too many descriptors for one message";
    }
    if (large.magic != CHANNEL_LARGE_MAGIC) {
        return "a descriptor where none belongs";
    }
    if (large.len <= CHANNEL_INLINE_MAX || large.len > CHANNEL_MESSAGE_MAX) {
        return "a large message of a forbidden length";
    }
    if (lost) {
        return "a large message, and no descriptor was left for it";
    }
    *large_len = (size_t)large.len;
    return memfd_check(slot->fd, *large_len, NEEDED_SEALS);
}

/* Private: before Linux 6.7 what is sealed against writing cannot be mapped as shared. It is the same memory. */
static int hand_out_large(struct channel_slot *slot, size_t len, struct channel_message *message)
{
    void *mapping = mmap(NULL, len, PROT_READ, MAP_PRIVATE, slot->fd, 0);

    if (mapping == MAP_FAILED) {
        return LPM_ENOMEM;
    }
    fd_close(&slot->fd);
    *message =
        (struct channel_message){.data = mapping, .len = len, .kind = CHANNEL_MAPPING, .place = mapping};
    return 1;
}

static int hand_out_inline(struct channel_receive *r, struct channel_message *message)
{
    struct channel_slot *slot = r->batch[r->at];
    char *copy;

    if (slot->len > COPY_MAX) {
        r->batch[r->at] = NULL;
        *message = (struct channel_message){
            .data = slot->data, .len = slot->len, .kind = CHANNEL_SLOT, .place = slot};
        return 1;
    }
    copy = malloc(slot->len);
    if (copy == NULL) {
        return LPM_ENOMEM;
    }
    memcpy(copy, slot->data, slot->len);
    message->data = message->place = copy;
    message->len = slot->len;
    message->kind = CHANNEL_COPY;
    return 1;
}

/* The next of the batch. Without memory it stays the next. */
static int hand_out(struct channel_receive *r, struct channel_message *message)
{
    struct channel_slot *slot = r->batch[r->at];
    size_t large_len = 0;
    bool note;
    int rc;

    r->why = check(r, slot, &large_len, &note);
    if (r->why != NULL) {
        r->over = LPM_EPROTO;
        return r->over;
    }
    if (note) {
        r->fds[r->fd_count++] = slot->fd;
        slot->fd = -1;
        r->at++;
        return HANDED_NOTE;
    }
    if (slot->len == 0) {
        r->over = LPM_EIO;
        return r->over;
    }
    rc = slot->fd >= 0 ? hand_out_large(slot, large_len, message) : hand_out_inline(r, message);
    if (rc == 1) {
        r->at++;
        message->fd_count = r->fd_count;
        memcpy(message->fds, r->fds, sizeof(r->fds));
        r->fd_count = 0;
    }
    return rc;
}

int channel_receive_next(struct channel_receive *r, int fd, struct channel_message *message, const char **why)
{
    int rc;

    while (r->over == 0) {
        if (r->at == r->count) {
            rc = receive(r, fd);
            if (rc <= 0) {
                return rc;
            }
        }
        rc = hand_out(r, message);
        if (rc != LPM_EPROTO && rc != HANDED_NOTE) {
            return rc;
        }
    }
    *why = r->why;
    return r->over;
}

void channel_receive_release(struct channel_receive *r, struct channel_message *message)
{
    struct channel_slot *slot = message->place;

    for (unsigned i = 0; i < message->fd_count; i++) {
        fd_close(&message->fds[i]);
    }
    message->fd_count = 0;
    if (message->kind == CHANNEL_MAPPING) {
        munmap(message->place, message->len);
    } else if (message->kind == CHANNEL_COPY || r->spare_count == SPARE_MAX) {
        free(message->place);
    } else {
        slot->next = r->spare;
        r->spare = slot;
        r->spare_count++;
    }
    message->place = NULL;
}
