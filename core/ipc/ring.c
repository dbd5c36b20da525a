/*
 * The ring. Runs in bus and worker; pure. Fails by LPM_EPROTO on an index of the peer that cannot be.
 */
#include "ipc/ring.h"

#include <lpm/module.h>

_Static_assert(sizeof(struct ring_cell) == 64, "a slot is one cache line");
_Static_assert((RING_SLOTS & (RING_SLOTS - 1)) == 0, "indexes wrap at a multiple of the ring");

void ring_writer_init(struct ring_writer *w, struct ring_cell *cells, _Atomic uint32_t *shown,
                      const _Atomic uint32_t *taken, uint32_t first)
{
    *w = (struct ring_writer){cells, shown, taken, first, first, first};
}

void ring_reader_init(struct ring_reader *r, const struct ring_cell *cells, const _Atomic uint32_t *shown,
                      _Atomic uint32_t *taken, uint32_t first)
{
    *r = (struct ring_reader){cells, shown, taken, first, first};
}

int ring_refresh(struct ring_writer *w)
{
    /* Acquire: a slot is written again only after the reader has read it. */
    uint32_t taken = atomic_load_explicit(w->taken, memory_order_acquire);

    if (taken - w->seen > w->published - w->seen) {
        return LPM_EPROTO;
    }
    w->seen = taken;
    return 0;
}

void ring_put(struct ring_writer *w, const struct ring_slot *slot)
{
    struct ring_cell *cell = &w->cells[w->next % RING_SLOTS];

    atomic_store_explicit(&cell->block, slot->block, memory_order_relaxed);
    atomic_store_explicit(&cell->len, slot->len, memory_order_relaxed);
    atomic_store_explicit(&cell->fd_count, slot->fd_count, memory_order_relaxed);
    atomic_store_explicit(&cell->place, slot->place, memory_order_relaxed);
    w->next++;
}

void ring_publish(struct ring_writer *w, uint32_t end)
{
    w->published = end;
    /* Release: who sees the index sees the slots before it, and the bytes that they name. */
    atomic_store_explicit(w->shown, end, memory_order_release);
}

int ring_look(struct ring_reader *r)
{
    uint32_t shown = atomic_load_explicit(r->shown, memory_order_acquire);

    if (shown - r->next > RING_SLOTS || shown - r->next < r->seen - r->next) {
        return LPM_EPROTO;
    }
    r->seen = shown;
    return shown != r->next;
}

void ring_read(const struct ring_reader *r, struct ring_slot *slot)
{
    const struct ring_cell *cell = &r->cells[r->next % RING_SLOTS];

    slot->block = atomic_load_explicit(&cell->block, memory_order_relaxed);
    slot->len = atomic_load_explicit(&cell->len, memory_order_relaxed);
    slot->fd_count = atomic_load_explicit(&cell->fd_count, memory_order_relaxed);
    slot->place = atomic_load_explicit(&cell->place, memory_order_relaxed);
}

void ring_advance(struct ring_reader *r)
{
    r->next++;
    atomic_store_explicit(r->taken, r->next, memory_order_release);
}
