/*
 * The pools of a generation: places for workers, and how they are filled again.
 */
#ifndef MASTER_POOL_H
#define MASTER_POOL_H

#include "master/master_context.h"

/* The places for the workers, all empty. On failure what there is stays for _fini. 0 or LPM_ENOMEM. */
int master_pool_init(struct master_generation *generation);
void master_pool_fini(struct master_generation *generation);

/* Forks those that are missing, as far as the restart policies allow; timers do the rest later. */
void master_pool_refill(struct master_generation *generation);

/* Nothing is started, or waited for, any more. */
void master_pool_stop(struct master_generation *generation);

/* Fills place `index` of the pool, from now on: a new one (the next), or one that was removed. false: it is neither. */
bool master_pool_add_place(struct master_pool *pool, size_t index);

/* Place `index`, which there is, is not filled any more. A worker that runs there has drain_timeout to end. */
void master_pool_remove_place(struct master_pool *pool, size_t index);

/* A pool with a range begins with as many workers as that of its name has in `from` (NULL: none), as far as the range allows: into the
 * counts of `core`. */
void master_pool_carry(struct conf_core *core, const struct master_generation *from);

#endif
