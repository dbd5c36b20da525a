/*
 * The sending half of a channel. Runs in bus and worker. It never waits: without room it refuses, and calls for some.
 */
#include "ipc/channel_send.h"

#include <fcntl.h>
#include <lpm/module.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/fetch.h"
#include "ipc/bell.h"
#include "ipc/memfd.h"
#include "ipc/store.h"

/* Messages from now, and how many blocks each takes. */
#define FETCH_AHEAD  4u
#define FETCH_BLOCKS 2u

#define LARGE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

_Static_assert(CHANNEL_INLINE_MAX <= ARENA_SIZE / 2, "two such messages fit");
_Static_assert((NOTE_MAX & (NOTE_MAX - 1)) == 0, "numbers of notes wrap at a multiple of their places");

void channel_send_init(struct channel_send *s, const struct share_end *end)
{
    *s = (struct channel_send){.end = end, .store_fd = -1, .mapping_fd = -1};
    ring_writer_init(&s->ring, end->mine->cells, &end->mine->shown, &end->theirs->taken, SHARE_FIRST);
    arena_init(&s->arena, &end->theirs->returns, SHARE_FIRST);
    arena_init(&s->store, &end->theirs->store_returns, SHARE_FIRST);
}

static struct note *note_at(struct channel_send *s, uint32_t number)
{
    return &s->notes[number % NOTE_MAX];
}

void channel_send_fini(struct channel_send *s)
{
    channel_send_drop(s);
    for (; s->note_next != s->note_count; s->note_next++) {
        fd_close(&note_at(s, s->note_next)->fd);
    }
    fd_close(&s->store_fd);
    store_free(s->store_bytes);
}

/* The peer wrote what cannot be. Our own loop hears of it by the end of the socket. */
static int fail(struct channel_send *s, const char *why)
{
    s->over = true;
    s->why = why;
    shutdown(s->end->socket, SHUT_RDWR);
    return LPM_EIO;
}

/* Takes in what the peer is done with. 0 or LPM_EIO. */
static int refresh(struct channel_send *s)
{
    if (ring_refresh(&s->ring) < 0) {
        return fail(s, "it says that it has read what it did not get");
    }
    if (arena_collect(&s->arena) < 0 || arena_collect(&s->store) < 0) {
        return fail(s, "it gives back memory that it did not get");
    }
    while (s->note_oldest != s->note_next &&
           s->ring.published - note_at(s, s->note_oldest)->slot > s->ring.published - s->ring.seen) {
        s->note_oldest++;
    }
    return 0;
}

/* What a message takes. */
struct need {
    size_t len;
    uint32_t notes;
    bool memfd; /* has its bytes in one of its own */
};

/* Makes the store if there is none. */
static bool has_store(struct channel_send *s)
{
    if (s->store_bytes == NULL) {
        s->store_bytes = store_make(&s->store_fd);
    }
    return s->store_bytes != NULL;
}

static bool has_slots(const struct channel_send *s, uint32_t notes)
{
    return ring_room(&s->ring) > 0 && notes <= NOTE_MAX - (s->note_count - s->note_oldest);
}

static bool find_in_store(struct channel_send *s, const struct need *need)
{
    uint32_t out = ARENA_BLOCKS - s->store.free, count = store_blocks(need->len);

    if (need->len < STORE_MESSAGE_MIN || need->len > STORE_MESSAGE_MAX ||
        (need->len <= CHANNEL_INLINE_MAX && out + count > STORE_SHORT)) {
        return false;
    }
    if (!has_store(s) || !has_slots(s, need->notes + (s->store_fd >= 0))) {
        return false;
    }
    s->place = RING_STORE;
    s->store.cursor = 0; /* the same memory again and again: it is in the caches */
    s->block = arena_take_blocks(&s->store, count);
    return s->block != ARENA_FULL;
}

/* Takes the place for its bytes, if there is room for all of it. */
static bool find_place(struct channel_send *s, const struct need *need)
{
    if (!has_slots(s, need->notes)) {
        return false;
    }
    if (need->memfd) {
        s->place = RING_MEMFD;
        return true;
    }
    if (need->len <= CHANNEL_INLINE_MAX) {
        s->place = RING_ARENA;
        s->block = arena_take(&s->arena, need->len);
        if (s->block != ARENA_FULL) {
            return true;
        }
    }
    return find_in_store(s, need);
}

/* Has the peer read all there is, so that it will not make room by going on? */
static bool is_read_up(const struct channel_send *s)
{
    return s->ring.seen == s->ring.next;
}

/* 0, LPM_EAGAIN or LPM_EIO. */
static int make_room(struct channel_send *s, struct need *need)
{
    /* Early: so arena and store keep to the same memory when little is out. */
    bool early = s->arena.free < ARENA_BLOCKS / 2 || s->store.free < ARENA_BLOCKS;
    int rc = early || !has_slots(s, need->notes) ? refresh(s) : 0;

    if (rc < 0 || find_place(s, need)) {
        return rc;
    }
    if (channel_send_flush(s) == LPM_EIO) {
        return LPM_EIO;
    }
    bell_call(&s->end->mine->calls);
    rc = refresh(s);
    if (rc < 0 || find_place(s, need)) {
        return rc;
    }
    /* It holds memory here and there, for as long as it likes. */
    if (is_read_up(s) && !need->memfd) {
        need->memfd = true;
        need->notes++;
        return find_place(s, need) ? 0 : LPM_EAGAIN;
    }
    return LPM_EAGAIN;
}

/* Such a message is written where the peer will read it. 0 or LPM_ENOMEM. */
static int map_memfd(struct channel_send *s, size_t len)
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

static int copy_descriptors(struct channel_send *s, const int *fds, unsigned fd_count)
{
    for (s->fd_count = 0; s->fd_count < fd_count; s->fd_count++) {
        int fd = fcntl(fds[s->fd_count], F_DUPFD_CLOEXEC, 3);
        if (fd < 0) {
            return LPM_ENOMEM;
        }
        s->fds[s->fd_count] = fd;
    }
    return 0;
}

/* Most messages are small, have no descriptors and find room at once. */
static bool reserve_at_once(struct channel_send *s, size_t len, unsigned fd_count)
{
    if (s->over || s->reserved > 0 || len == 0 || len > CHANNEL_INLINE_MAX || fd_count > 0 ||
        s->arena.free < ARENA_BLOCKS / 2 || ring_room(&s->ring) == 0) {
        return false;
    }
    s->block = arena_take(&s->arena, len);
    if (s->block == ARENA_FULL) {
        return false;
    }
    s->place = RING_ARENA;
    s->reserved = len;
    s->fd_count = 0;
    return true;
}

static int reserve(struct channel_send *s, size_t len, const int *fds, unsigned fd_count)
{
    struct need need = {len, fd_count, false};
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
    if (len > STORE_MESSAGE_MAX || (len > CHANNEL_INLINE_MAX && !has_store(s))) {
        need.memfd = true;
        need.notes++;
    }
    rc = make_room(s, &need);
    if (rc < 0) {
        return rc;
    }
    s->reserved = len;
    rc = copy_descriptors(s, fds, fd_count);
    if (rc == 0 && s->place == RING_MEMFD) {
        rc = map_memfd(s, len);
    }
    if (rc < 0) {
        channel_send_drop(s);
    }
    return rc;
}

char *channel_send_reserve(struct channel_send *s, size_t len, const int *fds, unsigned fd_count, int *code)
{
    *code = 0;
    if (reserve_at_once(s, len, fd_count)) {
        return s->end->mine->bytes + (size_t)s->block * ARENA_BLOCK;
    }
    *code = reserve(s, len, fds, fd_count);
    if (*code < 0) {
        return NULL;
    }
    switch (s->place) {
    case RING_MEMFD:
        return s->mapping;
    case RING_STORE:
        return s->store_bytes + (size_t)s->block * STORE_BLOCK;
    default:
        return s->end->mine->bytes + (size_t)s->block * ARENA_BLOCK;
    }
}

static void add_note(struct channel_send *s, int fd)
{
    *note_at(s, s->note_count++) = (struct note){s->ring.next, fd};
}

/* The peer has read the places that come next, so that the first write to each would wait for it: small messages write
 * so far within the next few. */
static void fetch_next(const struct channel_send *s)
{
    size_t at = (size_t)(s->arena.cursor + FETCH_AHEAD * FETCH_BLOCKS) % ARENA_BLOCKS * ARENA_BLOCK;

    fetch_to_write(&s->ring.cells[(s->ring.next + FETCH_AHEAD) % RING_SLOTS]);
    for (size_t line = 0; line < FETCH_BLOCKS * ARENA_BLOCK; line += FETCH_LINE) {
        fetch_to_write(s->end->mine->bytes + (at + line) % ARENA_SIZE);
    }
}

void channel_send_commit(struct channel_send *s)
{
    if (s->place == RING_MEMFD) {
        /* The kernel refuses to seal what is still mapped for writing. That it refuses otherwise cannot be; if it does,
         * the peer will say so. */
        munmap(s->mapping, s->reserved);
        memfd_seal(s->mapping_fd, LARGE_SEALS);
        add_note(s, s->mapping_fd);
        s->mapping = NULL;
        s->mapping_fd = -1;
        s->block = 0;
    } else if (s->place == RING_STORE && s->store_fd >= 0) {
        add_note(s, s->store_fd);
        s->store_fd = -1;
        s->place = RING_NEW_STORE;
    }
    for (unsigned i = 0; i < s->fd_count; i++) {
        add_note(s, s->fds[i]);
    }
    ring_put(&s->ring, &(struct ring_slot){s->block, (uint32_t)s->reserved, s->fd_count, s->place});
    fetch_next(s);
    s->fd_count = 0;
    s->reserved = 0;
}

void channel_send_drop(struct channel_send *s)
{
    if (s->reserved == 0) {
        return;
    }
    if (s->mapping != NULL) {
        munmap(s->mapping, s->reserved);
        s->mapping = NULL;
        fd_close(&s->mapping_fd);
    }
    if (s->place != RING_MEMFD) {
        arena_drop(s->place == RING_STORE ? &s->store : &s->arena, s->block);
    }
    while (s->fd_count > 0) {
        fd_close(&s->fds[--s->fd_count]);
    }
    s->reserved = 0;
}

/* Sends the notes that wait. 0; LPM_EAGAIN: slots from `*end` on wait for theirs; LPM_EIO. */
static int send_notes(struct channel_send *s, uint32_t *end)
{
    for (; s->note_next != s->note_count; s->note_next++) {
        struct note *note = note_at(s, s->note_next);
        int rc = note_send(s->end->socket, note);
        if (rc < 0) {
            *end = note->slot;
            return rc;
        }
        fd_let_go(&note->fd); /* the peer may have it by now */
    }
    return 0;
}

int channel_send_flush(struct channel_send *s)
{
    uint32_t before = s->ring.published, end = s->ring.next;
    int rc;

    if (s->over) {
        return LPM_EIO;
    }
    rc = send_notes(s, &end);
    if (rc == LPM_EIO) {
        s->over = true;
        shutdown(s->end->socket, SHUT_RDWR); /* so that its end is heard, after what it had sent */
    } else if (end != before) {
        ring_publish(&s->ring, end);
        if (bell_due(&s->end->theirs->asleep_at, before, end)) {
            bell_ring(s->end->their);
        }
    }
    return rc;
}

void channel_send_sweep(struct channel_send *s)
{
    uint32_t taken = atomic_load_explicit(&s->end->theirs->taken, memory_order_relaxed);
    uint32_t asleep_at = atomic_load_explicit(&s->end->theirs->asleep_at, memory_order_relaxed);
    bool sleeps = asleep_at == taken && taken != s->ring.published;

    if (sleeps && s->swept && s->swept_at == taken) {
        bell_ring(s->end->their);
    }
    s->swept = sleeps;
    s->swept_at = taken;
}
