/*
 * Requests that have killed workers: a table in memory that all buses of a master share, one after the other and for a moment two
 * at once, so that it outlives a reload and the death of a bus. The master makes it and never looks into it. A bus may die at
 * any instruction: what it was writing then is free again after a second. Pure but for the memory; instants are ns,
 * CLOCK_MONOTONIC.
 */
#ifndef ROLE_QUARANTINE_H
#define ROLE_QUARANTINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "loader/loader_build_id.h"

#define ROLE_QUARANTINE_MAX 64u

/* One kind of request. Another build of its module is another kind. */
struct role_quarantine_entry {
    uint64_t fingerprint; /* of handler, method, path and payload; not 0 */
    uint64_t first, last; /* when it was found out */
    uint64_t until;
    uint32_t deaths;         /* workers, so far */
    char id[UUID_TEXT_SIZE]; /* of the last one */
    char build[LOADER_BUILD_ID_SIZE];
    char handler[65], method[17], path[129]; /* for people; cut */
};

struct role_quarantine {
    uint64_t key[2];              /* of the fingerprints */
    _Atomic uint64_t added;       /* another number after each addition; 0: nothing is in it */
    struct role_quarantine_slot { /* private */
        _Atomic uint64_t word;    /* 0: free; odd: being written since; else until when it holds */
        struct role_quarantine_entry entry;
    } slots[ROLE_QUARANTINE_MAX];
};

/* Fresh memory of zeroes becomes an empty table. */
void role_quarantine_init(struct role_quarantine *table);

/* Puts it in; one with the same fingerprint and build that is still known counts on: its deaths are added and `first` is kept.
 * A full table forgets the one that would be out first. */
void role_quarantine_add(struct role_quarantine *table, const struct role_quarantine_entry *entry,
                         uint64_t now);

/* Is a request like that one held now? */
bool role_quarantine_holds(struct role_quarantine *table, uint64_t fingerprint, const char *build,
                           uint64_t now);

/* Copies those that are held; returns how many. */
unsigned role_quarantine_list(const struct role_quarantine *table, uint64_t now,
                              struct role_quarantine_entry list[ROLE_QUARANTINE_MAX]);

/* Lets those with that fingerprint go, 0: all; returns how many. */
unsigned role_quarantine_release(struct role_quarantine *table, uint64_t fingerprint, uint64_t now);

#endif
