/*
 * The restart policy. Runs in the master; pure but for the memory of the window, which grows with the restarts
 * that count and not with the limit.
 */
#include "master/master_restart.h"

#include <lpm/module.h>
#include <stdlib.h>

#include "base/clock.h"

void master_restart_init(struct master_restart *restart, int64_t limit, int64_t interval_ms)
{
    *restart = (struct master_restart){.limit = limit};
    restart->interval = interval_ms < 0 ? MASTER_RESTART_NEVER : (uint64_t)interval_ms * CLOCK_NS_PER_MS;
}

void master_restart_fini(struct master_restart *restart)
{
    free(restart->at);
    *restart = (struct master_restart){0};
}

/* Forgets the restarts that the window has left behind. */
static void forget(struct master_restart *restart, uint64_t now)
{
    while (restart->count > 0 && restart->interval != MASTER_RESTART_NEVER &&
           now - restart->at[restart->first] >= restart->interval) {
        restart->first = (restart->first + 1) % restart->room;
        restart->count--;
    }
}

uint64_t master_restart_when(struct master_restart *restart, uint64_t now)
{
    if (restart->limit < 0) {
        return now;
    }
    forget(restart, now);
    if (restart->count < (uint64_t)restart->limit) {
        return now;
    }
    if (restart->count == 0 || restart->interval == MASTER_RESTART_NEVER) {
        return MASTER_RESTART_NEVER;
    }
    return restart->at[restart->first] + restart->interval;
}

static int grow(struct master_restart *restart)
{
    size_t room = restart->room ? 2 * restart->room : 8;
    uint64_t *at = calloc(room, sizeof(*at));

    if (!at) {
        return LPM_ENOMEM;
    }
    for (size_t i = 0; i < restart->count; i++) {
        at[i] = restart->at[(restart->first + i) % restart->room];
    }
    free(restart->at);
    restart->at = at;
    restart->room = room;
    restart->first = 0;
    return 0;
}

int master_restart_note(struct master_restart *restart, uint64_t now)
{
    if (restart->limit < 0) {
        return 0;
    }
    forget(restart, now);
    if (restart->count == restart->room) {
        int rc = grow(restart);
        if (rc) {
            return rc;
        }
    }
    restart->at[(restart->first + restart->count) % restart->room] = now;
    restart->count++;
    return 0;
}
