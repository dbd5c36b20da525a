/*
 * Where a writer's long messages lie: an arena with larger blocks, in memory that the writer makes when it first needs it, and
 * whose descriptor goes to the reader with the first message in it. So neither side makes, maps or frees pages for each
 * message, and who has no long ones has no such memory. For the other files of this room.
 */
#ifndef STORE_H
#define STORE_H

#include "ipc/arena.h"

#define STORE_BLOCK       2048u
#define STORE_SIZE        ((size_t)STORE_BLOCK * ARENA_BLOCKS)
#define STORE_MESSAGE_MIN (16u * 1024)       /* shorter ones wait for room in the arena */
#define STORE_MESSAGE_MAX (STORE_SIZE / 2)   /* two such messages fit */
#define STORE_SHORT       (ARENA_BLOCKS / 4) /* blocks: no more for messages that the arena could take */

static inline uint32_t store_blocks(size_t len)
{
    return (uint32_t)((len + STORE_BLOCK - 1) / STORE_BLOCK);
}

/* Writer: makes one, sealed so that nobody else will ever write to it. Its bytes, and the descriptor to give away; or NULL:
 * there is no memory, or no descriptor. */
char *store_make(int *fd);

/* Reader: maps the one that came as `fd`, which stays the caller's. NULL without memory; or, with `*why`, because reading it
 * could fail or it is not what a store has to be. */
const char *store_take(int fd, const char **why);

/* Either's mapping; NULL: none. */
void store_free(const char *bytes);

#endif
