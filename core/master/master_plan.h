/*
 * What the master does next, seen all its generations together. Pure. The life of each one is master_state's.
 */
#ifndef MASTER_PLAN_H
#define MASTER_PLAN_H

#include <stdbool.h>

#include "master/master_state.h"

enum master_plan {
    MASTER_WAIT = 0, /* until something happens */
    MASTER_RELOAD,   /* begin a generation from what the configuration says now; one that waits gives way */
    MASTER_AGAIN,    /* nobody serves: begin one from what served last */
    MASTER_BACK,     /* what serves has failed its probation: begin one from what served before */
    MASTER_ABANDON, /* nobody serves, and what has run before starts sooner: throw the reload away, to be done later */
    MASTER_GIVE_UP, /* lpm could not start */
    MASTER_END      /* nobody is left */
};

/* What the plan depends on. Zeroed, then the flags, then master_plan_count() for each generation. */
struct master_view {
    bool stopping;    /* no generation is started any more */
    bool withdrawn;   /* nor now: another master serves */
    bool online;      /* one has served */
    bool can_go_back; /* what served before is kept */
    bool reload_due;  /* somebody asked for a reload, and it may begin */
    bool must_pause;  /* what has run before may not start at once: it has just failed to, or too often */
    unsigned max_leaving;
    unsigned coming, reloading; /* on their way to serve; those of them that are reloads */
    unsigned waiting;           /* and those that only wait for their time to begin */
    unsigned serving, failing;  /* failing ones serve too */
    unsigned leaving;           /* drain */
    unsigned ending;            /* are being killed, or are gone and not buried yet */
};

/* Adds a generation. */
void master_plan_count(struct master_view *view, enum master_state state, bool is_reload);

enum master_plan master_plan_next(const struct master_view *view);

#endif
