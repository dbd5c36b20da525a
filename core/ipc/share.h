/*
 * The memory of a channel: two sealed memfds, one that the bus writes and the worker can only read, one the other way
 * round; and a bell for each. For the other files of this room.
 */
#ifndef SHARE_H
#define SHARE_H

#include "base/error.h"
#include "ipc/arena.h"
#include "ipc/ring.h"

/* Where all indexes begin: they wrap early in each worker's life, or there would be no telling whether they can. */
#define SHARE_FIRST (0u - 1024)

/* What one side writes and the other reads. What is written at different times has a line of its own, and the next line,
 * which the processor may fetch with it. */
struct share {
    _Alignas(128) _Atomic uint32_t shown;     /* slots published in `cells` */
    _Alignas(128) _Atomic uint32_t taken;     /* slots read of the other's */
    _Alignas(128) _Atomic uint32_t asleep_at; /* see bell.h */
    _Alignas(128) _Atomic uint32_t calls;     /* for room */
    _Alignas(128) _Atomic uint32_t started;   /* the worker's part of the board ... */
    _Atomic uint32_t running;
    _Atomic uint64_t call_until, call_count;
    _Alignas(128) _Atomic uint32_t wanted; /* ... and the bus's */
    _Atomic uint32_t over;                 /* bus: it has ended the channel */
    struct arena_returns returns, store_returns;
    struct ring_cell cells[RING_SLOTS];
    _Alignas(4096) char bytes[ARENA_SIZE];
};

/* One side of it. */
struct share_end {
    struct share *mine;
    const struct share *theirs;
    int socket;
    int bell;  /* ours, to listen to */
    int their; /* the peer's bell, to ring */
};

/* An end with its socket, and nothing else yet. share_fini() closes that, too. */
void share_init(struct share_end *end, int socket);
void share_fini(struct share_end *end);

/* Bus: makes memory and bells and sends the worker its part. 0 or LPM_EIO. */
int share_offer(struct share_end *end, struct error *err);

/* Worker: waits up to `timeout_ms` (-1: for ever) for them. 0, LPM_EIO (the bus is gone), LPM_ETIMEDOUT, LPM_EPROTO (that is
 * not what a bus sends), LPM_ENOMEM. */
int share_accept(struct share_end *end, int timeout_ms, struct error *err);

#endif
