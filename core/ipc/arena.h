/*
 * Where a writer's messages lie until their reader is done with them: blocks of shared memory, handed out one behind the
 * other and round again, and given back in any order. Each message has one run of them.
 *
 * The writer alone keeps count, in memory of its own. What the reader gives back comes through `returns`, a list in its own
 * shared memory, and is believed only if it is the beginning of a run that is out. Pure: no I/O, no waiting.
 */
#ifndef ARENA_H
#define ARENA_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_BLOCK  128u  /* bytes: two cache lines, which the processor may fetch together */
#define ARENA_BLOCKS 2048u /* a power of two */
#define ARENA_SIZE   ((size_t)ARENA_BLOCK * ARENA_BLOCKS)
#define ARENA_FULL   UINT32_MAX

/* What the reader writes: it never has more to give back than there are blocks, so the list is never full. */
struct arena_returns {
    _Alignas(128) _Atomic uint32_t count; /* runs free, and wraps */
    _Alignas(128) _Atomic uint32_t blocks[ARENA_BLOCKS];
};

struct arena {
    const struct arena_returns *returns;
    uint32_t collected; /* of them */
    uint32_t cursor;    /* where the next run is looked for first */
    uint32_t free;      /* blocks */
    uint16_t
        length[ARENA_BLOCKS]; /* of the run that begins there; 0: the block is free, or inside of a run */
};

/* The reader's half. */
struct arena_giver {
    struct arena_returns *returns;
    uint32_t count;
};

/* The list stands at `first` in the shared memory already. */
void arena_init(struct arena *arena, const struct arena_returns *returns, uint32_t first);
void arena_giver_init(struct arena_giver *giver, struct arena_returns *returns, uint32_t first);

static inline uint32_t arena_blocks(size_t len)
{
    return (uint32_t)((len + ARENA_BLOCK - 1) / ARENA_BLOCK);
}

/* A run for `len` bytes, 1 to ARENA_SIZE, or of so many blocks: its first block, or ARENA_FULL. */
uint32_t arena_take(struct arena *arena, size_t len);
uint32_t arena_take_blocks(struct arena *arena, uint32_t count);

/* Gives back a run of which the reader never heard. */
void arena_drop(struct arena *arena, uint32_t block);

/* Takes in what the reader gave back: 0, or LPM_EPROTO when that cannot be. */
int arena_collect(struct arena *arena);

/* Reader: is done with the run that begins at `block`. */
void arena_give(struct arena_giver *giver, uint32_t block);

#endif
