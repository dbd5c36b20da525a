/*
 * The receiving half of a channel. Runs in bus and worker. Nothing that comes is believed: what breaks the rules ends
 * the channel with LPM_EPROTO, and no descriptor or memory of it is kept.
 *
 * The peer may write to its memory at any time. So each slot is copied before it is judged, and in the bus the bytes of a
 * message too. The worker reads them in their place: it has nobody to fear there but the bus.
 */
#include "ipc/channel_receive.h"

#include <fcntl.h>
#include <lpm/module.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "ipc/bell.h"
#include "ipc/memfd.h"
#include "ipc/store.h"

#define NEEDED_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* More is copied, so that the bus always has room for the next. */
#define HELD_MAX (ARENA_BLOCKS / 2)

int channel_receive_init(struct channel_receive *r, const struct share_end *end, bool copies)
{
    *r = (struct channel_receive){.end = end, .copies = copies};
    ring_reader_init(&r->ring, end->theirs->cells, &end->theirs->shown, &end->mine->taken, SHARE_FIRST);
    arena_giver_init(&r->arena.giver, &end->mine->returns, SHARE_FIRST);
    arena_giver_init(&r->store.giver, &end->mine->store_returns, SHARE_FIRST);
    if (copies) {
        r->room = malloc(CHANNEL_INLINE_MAX);
    }
    return copies && r->room == NULL ? LPM_ENOMEM : 0;
}

void channel_receive_fini(struct channel_receive *r)
{
    for (uint32_t i = 0; i < r->note_count; i++) {
        fd_close(&r->notes[i].fd);
    }
    store_free(r->store_bytes);
    free(r->room);
}

/* The peer may wait for the room that there is now. */
static void answer_call(struct channel_receive *r)
{
    if (bell_called(&r->end->theirs->calls, &r->answered)) {
        bell_ring(r->end->their);
    }
}

static int fail(struct channel_receive *r, const char *why)
{
    r->why = why;
    r->over = LPM_EPROTO;
    return r->over;
}

/* Takes in the notes that came: 0, LPM_ENOMEM, LPM_EPROTO. */
static int take_notes(struct channel_receive *r)
{
    while (!r->ended) {
        struct note note;
        const char *why;
        int rc = note_receive(r->end->socket, &note, &why);

        if (rc == LPM_EIO) {
            r->ended = true;
        } else if (rc == LPM_EPROTO) {
            return fail(r, why);
        } else if (rc <= 0) {
            return rc;
        } else if (r->note_count == NOTE_MAX) {
            fd_close(&note.fd);
            return fail(r, "more descriptors than may be on their way");
        } else {
            r->notes[r->note_count++] = note;
        }
    }
    return 0;
}

void channel_receive_look(struct channel_receive *r)
{
    if (r->over == 0) {
        take_notes(r);
    }
}

/* The ring is empty as far as we know. 1: no more; 0: yes, and a bell will tell; LPM_EIO: for ever; LPM_EPROTO. */
static int look_further(struct channel_receive *r)
{
    int rc;

    if (r->last_look) {
        return LPM_EIO;
    }
    /* What it published before its end is there when we see the end; a process that it left behind may go on for ever. */
    r->last_look = r->ended;
    rc = ring_look(&r->ring);
    if (rc == 0 && !r->last_look) {
        bell_arm(&r->end->mine->asleep_at, r->ring.next);
        rc = ring_look(&r->ring);
        if (rc == 0) {
            answer_call(r);
            r->asleep = true;
        }
    }
    if (rc < 0) {
        return fail(r, "its ring holds more than it can");
    }
    return rc == 0 && r->last_look ? LPM_EIO : rc;
}

static bool is_in_store(const struct ring_slot *slot)
{
    return slot->place == RING_STORE || slot->place == RING_NEW_STORE;
}

/* Of arena or store. */
static uint32_t blocks_of(const struct ring_slot *slot)
{
    return is_in_store(slot) ? store_blocks(slot->len) : arena_blocks(slot->len);
}

static const char *check_slot(const struct channel_receive *r, const struct ring_slot *slot)
{
    static const uint64_t longest[RING_PLACES] = {CHANNEL_INLINE_MAX, CHANNEL_MESSAGE_MAX, STORE_MESSAGE_MAX,
                                                  STORE_MESSAGE_MAX};

    if (slot->place >= RING_PLACES || slot->fd_count > CHANNEL_FDS_MAX) {
        return "a slot that cannot be";
    }
    if (slot->len == 0 || slot->len > longest[slot->place]) {
        return "a message of a forbidden length";
    }
    if (slot->place != RING_MEMFD &&
        (slot->block >= ARENA_BLOCKS || blocks_of(slot) > ARENA_BLOCKS - slot->block)) {
        return "a message outside of its memory";
    }
    return slot->place == RING_STORE && r->store_bytes == NULL ? "a message in a store that did not come"
                                                               : NULL;
}

/* The notes of the next slot stand first: 0, LPM_ENOMEM, LPM_EPROTO. */
static int find_notes(struct channel_receive *r, uint32_t count)
{
    if (r->note_count < count) {
        int rc = take_notes(r);
        if (rc < 0) {
            return rc;
        }
        if (r->note_count < count) {
            return fail(r, "a descriptor that did not come");
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (r->notes[i].slot != r->ring.next) {
            return fail(r, "a descriptor that belongs to another message");
        }
    }
    /* What comes later belongs to later slots. */
    if (r->note_count > count && r->notes[count].slot - r->ring.next - 1 >= RING_SLOTS) {
        return fail(r, "a descriptor where none belongs");
    }
    return 0;
}

static void forget_notes(struct channel_receive *r, uint32_t count)
{
    r->note_count -= count;
    memmove(r->notes, r->notes + count, r->note_count * sizeof(r->notes[0]));
}

/* 0, LPM_ENOMEM, LPM_EPROTO. */
static int take_new_store(struct channel_receive *r)
{
    int *fd = &r->notes[0].fd;
    const char *wrong;

    if (r->store_bytes != NULL) {
        /* Taken already, and there was no memory for the message? */
        return *fd < 0 ? 0 : fail(r, "a second store");
    }
    if (*fd < 0) {
        return fail(r, "a store, and no descriptor was left for it");
    }
    r->store_bytes = store_take(*fd, &wrong);
    if (r->store_bytes == NULL) {
        return wrong != NULL ? fail(r, wrong) : LPM_ENOMEM;
    }
    fd_close(fd);
    return 0;
}

/* Private: before Linux 6.7 what is sealed against writing cannot be mapped as shared. It is the same memory. */
static int hand_out_memfd(struct channel_receive *r, const struct ring_slot *slot,
                          struct channel_message *message)
{
    const char *wrong;
    void *mapping;

    if (r->notes[0].fd < 0) {
        return fail(r, "a large message, and no descriptor was left for it");
    }
    wrong = memfd_check(r->notes[0].fd, slot->len, NEEDED_SEALS);
    if (wrong != NULL) {
        return fail(r, wrong);
    }
    mapping = mmap(NULL, slot->len, PROT_READ, MAP_PRIVATE, r->notes[0].fd, 0);
    if (mapping == MAP_FAILED) {
        return LPM_ENOMEM;
    }
    fd_close(&r->notes[0].fd);
    *message = (struct channel_message){.data = mapping, .kind = CHANNEL_MAPPING, .place = mapping};
    return 1;
}

static int hand_out_copy(struct channel_receive *r, const struct ring_slot *slot, const char *bytes,
                         struct channel_message *message)
{
    bool in_room = r->copies && !r->room_used && slot->len <= CHANNEL_INLINE_MAX;
    char *copy = in_room ? r->room : malloc(slot->len);

    if (copy == NULL) {
        return LPM_ENOMEM;
    }
    memcpy(copy, bytes, slot->len);
    /* Nothing of it is read from its place again, whatever the compiler thinks: it may have changed. */
    atomic_signal_fence(memory_order_seq_cst);
    arena_give(is_in_store(slot) ? &r->store.giver : &r->arena.giver, slot->block);
    r->room_used = r->room_used || in_room;
    *message =
        (struct channel_message){.data = copy, .kind = in_room ? CHANNEL_ROOM : CHANNEL_COPY, .place = copy};
    return 1;
}

static int hand_out_place(struct channel_receive *r, const struct ring_slot *slot,
                          struct channel_message *message)
{
    bool in_store = is_in_store(slot);
    struct channel_receive_place *place = in_store ? &r->store : &r->arena;
    const char *bytes = in_store ? r->store_bytes + (size_t)slot->block * STORE_BLOCK
                                 : r->end->theirs->bytes + (size_t)slot->block * ARENA_BLOCK;

    if (r->copies || place->held + blocks_of(slot) > HELD_MAX) {
        return hand_out_copy(r, slot, bytes, message);
    }
    place->held += blocks_of(slot);
    *message = (struct channel_message){
        .data = bytes, .kind = in_store ? CHANNEL_STORE : CHANNEL_PLACE, .block = slot->block};
    return 1;
}

static int next(struct channel_receive *r, struct channel_message *message)
{
    struct ring_slot slot;
    uint32_t own, notes; /* descriptors: for its place, all */
    int rc = ring_left(&r->ring) > 0 ? 1 : look_further(r);

    if (rc <= 0) {
        return rc;
    }
    r->asleep = false;
    ring_read(&r->ring, &slot);
    r->why = check_slot(r, &slot);
    if (r->why != NULL) {
        return LPM_EPROTO;
    }
    own = slot.place == RING_MEMFD || slot.place == RING_NEW_STORE;
    notes = slot.fd_count + own;
    rc = notes > 0 || r->note_count > 0 ? find_notes(r, notes) : 0;
    if (rc == 0 && slot.place == RING_NEW_STORE) {
        rc = take_new_store(r);
    }
    if (rc == 0) {
        rc = slot.place == RING_MEMFD ? hand_out_memfd(r, &slot, message) : hand_out_place(r, &slot, message);
    }
    if (rc == 1) {
        message->len = slot.len;
        message->fd_count = slot.fd_count;
        for (unsigned i = 0; i < slot.fd_count; i++) {
            message->fds[i] = r->notes[own + i].fd;
        }
        forget_notes(r, notes);
        ring_advance(&r->ring);
    }
    return rc;
}

int channel_receive_next(struct channel_receive *r, struct channel_message *message, const char **why)
{
    if (r->over == 0) {
        int rc = next(r, message);
        if (rc >= 0 || rc == LPM_ENOMEM) {
            return rc;
        }
        r->over = rc;
    }
    if (r->over == LPM_EPROTO) {
        *why = r->why;
    }
    return r->over;
}

static void give_back(struct channel_receive *r, struct channel_receive_place *place,
                      const struct channel_message *message, uint32_t blocks)
{
    place->held -= blocks;
    arena_give(&place->giver, message->block);
    /* Whoever has more to read makes room by reading it. */
    if (ring_left(&r->ring) == 0) {
        answer_call(r);
    }
}

void channel_receive_release(struct channel_receive *r, struct channel_message *message)
{
    for (unsigned i = 0; i < message->fd_count; i++) {
        fd_close(&message->fds[i]);
    }
    message->fd_count = 0;
    switch (message->kind) {
    case CHANNEL_PLACE:
        give_back(r, &r->arena, message, arena_blocks(message->len));
        break;
    case CHANNEL_STORE:
        give_back(r, &r->store, message, store_blocks(message->len));
        break;
    case CHANNEL_ROOM:
        r->room_used = false;
        break;
    case CHANNEL_COPY:
        free(message->place);
        break;
    case CHANNEL_MAPPING:
        munmap(message->place, message->len);
        break;
    }
    message->place = NULL;
}

bool channel_receive_waiting(struct channel_receive *r)
{
    return r->over == 0 && (ring_left(&r->ring) > 0 || look_further(r) != 0);
}

bool channel_receive_sweep(struct channel_receive *r)
{
    uint32_t shown = atomic_load_explicit(&r->end->theirs->shown, memory_order_relaxed);
    bool waits = r->over == 0 && r->asleep && shown != r->ring.next;
    bool lost = waits && r->swept && r->swept_at == r->ring.next;

    r->swept = waits;
    r->swept_at = r->ring.next;
    return lost;
}
