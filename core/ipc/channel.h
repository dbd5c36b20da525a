/*
 * The way between the bus and one worker: whole messages, in order, both directions, non-blocking, batched; and a
 * board, on which the worker shows how far it is and the bus whether it wants to be told, without a message.
 *
 * All of it is shared memory, each part written by one side only, and no system call while both sides are awake. A bell
 * (bell.h) wakes who sleeps; a socket carries descriptors, memory for longer messages (store.h), very long ones as sealed
 * memfds, and the end.
 * One process, one end. Any negative return but LPM_EAGAIN, LPM_ETOOBIG and LPM_ENOMEM means that the channel is over.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct channel;

#define CHANNEL_FDS_MAX     2u /* descriptors with one message */
#define CHANNEL_INLINE_MAX  (80u * 1024)
#define CHANNEL_MESSAGE_MAX ((UINT64_C(1) << 30) + (1u << 20)) /* bytes; the longest frame and some */

/* A received message; `data` stays as it is until channel_release(), however many others are taken in meanwhile. */
struct channel_message {
    const char *data;
    size_t len;
    enum { CHANNEL_PLACE, CHANNEL_STORE, CHANNEL_ROOM, CHANNEL_COPY, CHANNEL_MAPPING } kind; /* private */
    uint32_t block;                                                           /* private */
    void *place; /* private: what holds `data`, if not the shared memory */
    /* What came with it; who takes one sets -1, the others are closed at the release. -1 from the beginning: lost on the
     * way, because this process had no descriptor left. */
    int fds[CHANNEL_FDS_MAX];
    unsigned fd_count;
};

/* Master: makes the two ends, non-blocking, close-on-exec. fds[0] is the bus's. 0 or LPM_EIO. */
int channel_pair(int fds[2], struct error *err);

/* Bus: takes `fd` (closed by channel_free, and on failure), makes the memory and sends it. 0, LPM_EIO, LPM_ENOMEM. */
int channel_new_bus(struct channel **ch, int fd, struct error *err);

/* Worker: takes `fd`, waits up to `timeout_ms` (-1: for ever) for the bus's memory. 0, LPM_EIO (the bus is gone),
 * LPM_ETIMEDOUT, LPM_EPROTO (that was none), LPM_ENOMEM. */
int channel_new_worker(struct channel **ch, int fd, int timeout_ms, struct error *err);

/* What was committed and not flushed is lost. Received messages must have been released before. */
void channel_free(struct channel *ch);

/* Bus: nothing more goes either way, which the worker sees when it sends, or has received what was sent before. The board
 * stays. */
void channel_shut(struct channel *ch);

/* Two descriptors to poll for reading. channel_bell(): edge-triggered; a message waits, or there is room that
 * channel_reserve() had not. channel_fd(): level-triggered; descriptors came, or the end: call channel_look(). After
 * either, channel_next() until it returns 0. */
int channel_bell(const struct channel *ch);
int channel_fd(const struct channel *ch);
void channel_look(struct channel *ch);

/*
 * Room for a message of `len` bytes, to be written in place, then channel_commit(), or left with channel_drop().
 * One at a time. NULL with `*code`: LPM_EAGAIN (the peer has not read enough: nothing is lost, and the bell rings when it
 * has), LPM_ETOOBIG, LPM_ENOMEM (memory, or descriptors for a memfd), LPM_EIO, LPM_EINVAL (a length of 0; one is reserved
 * already). Without room what was committed is flushed first.
 */
char *channel_reserve(struct channel *ch, size_t len, int *code);

/* The same for a message with up to CHANNEL_FDS_MAX descriptors, which arrive in this order. They stay the caller's:
 * copies are sent. LPM_ENOMEM as well: one is not open. */
char *channel_reserve_with(struct channel *ch, size_t len, const int *fds, unsigned fd_count, int *code);

void channel_commit(struct channel *ch);
void channel_drop(struct channel *ch);

/* Is there something for channel_flush() to do? */
bool channel_pending(const struct channel *ch);

/* Hands what was committed to the peer. 0: all of it; LPM_EAGAIN: the kernel takes no descriptor for now, the rest is kept,
 * and nothing tells when to try again; LPM_EIO: the peer is known to be gone (what it had sent can still be received). */
int channel_flush(struct channel *ch);

/* Worker: waits for what channel_reserve() or channel_flush() had not, for a while. The bell may have told of messages, too,
 * and tells nobody else any more: call channel_next() soon. 0: try again; LPM_EIO: the bus is gone. */
int channel_wait(struct channel *ch);

/*
 * The next message: 1; 0: none now, the bell will tell; LPM_EIO: the peer is gone and all it had sent has been received;
 * LPM_EPROTO: it broke the rules of this layer (an index or a place that cannot be, descriptors that are not sealed memfds,
 * ...), `*why` says how.
 */
int channel_next(struct channel *ch, struct channel_message *message, const char **why);
void channel_release(struct channel *ch, struct channel_message *message);

/* Is there one? If so, no bell tells of it: who stops before channel_next() returned 0 (a peer may send for ever) asks
 * this, and comes back by himself. */
bool channel_waiting(struct channel *ch);

/* Bus, every 50 ms or so while something is under way: rings again where the worker may have been forgotten. True: a
 * message waits that no bell told of since the last time, which cannot be: count it, and call channel_next(). */
bool channel_sweep(struct channel *ch);

/* The board, worker's side: it has started request `seq` (they start in the order of their sending), and its handler
 * runs; 0: none runs. */
void channel_show_started(struct channel *ch, uint32_t seq);
void channel_show_running(struct channel *ch, uint32_t seq);

/* The same for a call, which is no request of the bus's and has no number: its handler runs, and is to be back at `until` (ns,
 * 0: never); then that it is back. */
#define CHANNEL_CALL UINT32_MAX
void channel_show_call(struct channel *ch, uint64_t until);
void channel_show_called(struct channel *ch);

/* Does the bus want a message when the worker has become free? Look after showing it. */
bool channel_wanted(const struct channel *ch);

/* The board, bus's side: requests wait because no worker is free. Look at the board again after saying so. */
void channel_want(struct channel *ch, bool wanted);

/* The board, bus's side: what the worker wrote there, which may be anything. */
uint32_t channel_started(const struct channel *ch);
uint32_t channel_running(const struct channel *ch);

/* How many calls there were, and when the one that runs now is to be back; 0: never, or none runs. */
uint64_t channel_calls(const struct channel *ch);
uint64_t channel_call_until(const struct channel *ch);

#endif
