/*
 * The arena. Runs in bus and worker; pure. Fails by LPM_EPROTO when the reader gives back what it does not have.
 */
#include "ipc/arena.h"

#include <lpm/module.h>
#include <string.h>

_Static_assert((ARENA_BLOCKS & (ARENA_BLOCKS - 1)) == 0, "counts wrap at a multiple of the list");
_Static_assert(ARENA_BLOCKS <= UINT16_MAX, "a length fits");

void arena_init(struct arena *arena, const struct arena_returns *returns, uint32_t first)
{
    *arena = (struct arena){.returns = returns, .collected = first, .free = ARENA_BLOCKS};
}

void arena_giver_init(struct arena_giver *giver, struct arena_returns *returns, uint32_t first)
{
    *giver = (struct arena_giver){returns, first};
}

/* The first run of `count` free blocks that begins at `from` or behind it and ends at `end` or before it. */
static uint32_t find(const struct arena *arena, uint32_t from, uint32_t end, uint32_t count)
{
    uint32_t start = from;

    for (uint32_t at = from; at - start < count;) {
        if (at >= end) {
            return ARENA_FULL;
        }
        if (arena->length[at] > 0) {
            at += arena->length[at];
            start = at;
        } else {
            at++;
        }
    }
    return start;
}

uint32_t arena_take(struct arena *arena, size_t len)
{
    return arena_take_blocks(arena, arena_blocks(len));
}

uint32_t arena_take_blocks(struct arena *arena, uint32_t count)
{
    uint32_t block = ARENA_FULL;

    if (count > arena->free) {
        return ARENA_FULL;
    }
    if (arena->free == ARENA_BLOCKS) {
        arena->cursor = 0; /* what was used last is in the caches still */
    }
    block = find(arena, arena->cursor, ARENA_BLOCKS, count);
    if (block == ARENA_FULL) {
        /* The cursor always stands at the beginning of a run, or of free blocks, or at the end. */
        block = find(arena, 0, ARENA_BLOCKS, count);
    }
    if (block != ARENA_FULL) {
        arena->length[block] = (uint16_t)count;
        arena->free -= count;
        arena->cursor = block + count;
    }
    return block;
}

void arena_drop(struct arena *arena, uint32_t block)
{
    arena->free += arena->length[block];
    arena->length[block] = 0;
    arena->cursor = block;
}

int arena_collect(struct arena *arena)
{
    /* Acquire: the reader has read what it gives back. */
    uint32_t count = atomic_load_explicit(&arena->returns->count, memory_order_acquire);

    if (count - arena->collected > ARENA_BLOCKS) {
        return LPM_EPROTO;
    }
    for (; arena->collected != count; arena->collected++) {
        uint32_t block = atomic_load_explicit(&arena->returns->blocks[arena->collected % ARENA_BLOCKS],
                                              memory_order_relaxed);
        if (block >= ARENA_BLOCKS || arena->length[block] == 0) {
            return LPM_EPROTO;
        }
        arena->free += arena->length[block];
        arena->length[block] = 0;
    }
    return 0;
}

void arena_give(struct arena_giver *giver, uint32_t block)
{
    atomic_store_explicit(&giver->returns->blocks[giver->count % ARENA_BLOCKS], block, memory_order_relaxed);
    giver->count++;
    atomic_store_explicit(&giver->returns->count, giver->count, memory_order_release);
}
