/*
 * A ring of slots from one writer to one reader, in memory that both have mapped. Pure: no I/O, no waiting; bell.h is for
 * that.
 *
 * The indexes run free and wrap at 2^32. Each side keeps its own for itself, shows a copy, and believes nothing of what the
 * other shows: an index that cannot be is LPM_EPROTO, and no slot is read that the ring does not have.
 */
#ifndef RING_H
#define RING_H

#include <stdatomic.h>
#include <stdint.h>

#define RING_SLOTS 256u /* a power of two */

/* Where a message's bytes are. */
enum ring_place {
    RING_ARENA,
    RING_MEMFD,     /* one of its own, one descriptor more */
    RING_STORE,     /* the writer's, which the reader has */
    RING_NEW_STORE, /* the same, and the store comes with it, one descriptor more */
    RING_PLACES
};

/* A message as it stands in the ring: one cache line, so that a slot is never half there ... */
struct ring_cell {
    _Alignas(64) _Atomic uint32_t block;
    _Atomic uint32_t len, fd_count, place;
};

/* ... and the copy that is judged and used: nobody else can change it. */
struct ring_slot {
    uint32_t block;    /* where its bytes begin in the writer's arena or store */
    uint32_t len;      /* bytes */
    uint32_t fd_count; /* descriptors that go with it */
    uint32_t place;    /* enum ring_place */
};

struct ring_writer {
    struct ring_cell *cells;
    _Atomic uint32_t *shown;       /* our index, for the reader */
    const _Atomic uint32_t *taken; /* the reader's */
    uint32_t next;                 /* the slot to be written */
    uint32_t published;            /* those before it are the reader's */
    uint32_t seen;                 /* of the reader's index */
};

struct ring_reader {
    const struct ring_cell *cells;
    const _Atomic uint32_t *shown; /* the writer's index */
    _Atomic uint32_t *taken;       /* ours, for the writer */
    uint32_t next;                 /* the slot to be read */
    uint32_t seen;                 /* of the writer's index */
};

/* Both indexes stand at `first` in the shared memory already. */
void ring_writer_init(struct ring_writer *w, struct ring_cell *cells, _Atomic uint32_t *shown,
                      const _Atomic uint32_t *taken, uint32_t first);
void ring_reader_init(struct ring_reader *r, const struct ring_cell *cells, const _Atomic uint32_t *shown,
                      _Atomic uint32_t *taken, uint32_t first);

/* Looks how far the reader is. 0 or LPM_EPROTO. */
int ring_refresh(struct ring_writer *w);

/* Free slots, as last seen. */
static inline uint32_t ring_room(const struct ring_writer *w)
{
    return RING_SLOTS - (w->next - w->seen);
}

/* Fills the next slot, which must be free; the reader does not see it yet. */
void ring_put(struct ring_writer *w, const struct ring_slot *slot);

/* Gives the reader the slots before `end`, which is at most w->next. */
void ring_publish(struct ring_writer *w, uint32_t end);

/* Looks how far the writer is: 1: there are slots to read; 0: none; LPM_EPROTO. */
int ring_look(struct ring_reader *r);

/* Slots to read, as last seen. */
static inline uint32_t ring_left(const struct ring_reader *r)
{
    return r->seen - r->next;
}

/* Copies the next slot, which must be there; and lets the writer have it again. */
void ring_read(const struct ring_reader *r, struct ring_slot *slot);
void ring_advance(struct ring_reader *r);

#endif
