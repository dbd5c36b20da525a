/*
 * The restart policy: at most `limit` restarts in any `interval`, as a sliding window. Pure: the instants are given.
 */
#ifndef MASTER_RESTART_H
#define MASTER_RESTART_H

#include <stddef.h>
#include <stdint.h>

#define MASTER_RESTART_NEVER UINT64_MAX

struct master_restart {
    int64_t limit;     /* LPM_NONE: without limit */
    uint64_t interval; /* ns; MASTER_RESTART_NEVER: what was used up never comes back */
    uint64_t *at;      /* the restarts that still count: a ring, oldest first */
    size_t room, first, count;
};

/* `interval_ms`: LPM_NONE for one without end. */
void master_restart_init(struct master_restart *restart, int64_t limit, int64_t interval_ms);
void master_restart_fini(struct master_restart *restart);

/* The first instant, not before `now`, at which one more restart is allowed; MASTER_RESTART_NEVER. Instants never go
 * back from call to call. */
uint64_t master_restart_when(struct master_restart *restart, uint64_t now);

/* Counts a restart at `now`. 0 or LPM_ENOMEM (it was not counted). */
int master_restart_note(struct master_restart *restart, uint64_t now);

#endif
