/*
 * The way between the bus and one worker: whole messages, in order, both directions, non-blocking, batched; and a
 * board, shared memory on which the worker shows how far it is and the bus whether it wants to be told, without a
 * message.
 *
 * Now a SOCK_SEQPACKET socketpair; a message over CHANNEL_INLINE_MAX goes as a sealed memfd. Nothing above this
 * file knows. One process, one end. Any negative return but LPM_EAGAIN, LPM_ETOOBIG and LPM_ENOMEM means that the
 * channel is over.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct channel;

#define CHANNEL_FDS_MAX     2u /* descriptors with one message */
#define CHANNEL_INLINE_MAX  (16u * 1024)
#define CHANNEL_MESSAGE_MAX ((UINT64_C(1) << 30) + (1u << 20)) /* bytes; the longest frame and some */

/*
 * A received message; `data` stays as it is until channel_release(), however many others are taken in meanwhile, and
 * holds no more memory than about its own length (at most four times that): a short message is copied out of the
 * receive buffer, a longer one keeps its buffer, one that came as a memfd is that memfd, mapped.
 */
struct channel_message {
    const char *data;
    size_t len;
    enum { CHANNEL_COPY, CHANNEL_SLOT, CHANNEL_MAPPING } kind; /* private */
    void *place;                                               /* private: what holds `data` */
    /* What came with it; who takes one sets -1, the others are closed at the release. -1 from the beginning: lost on the
     * way, because this process had no descriptor left. */
    int fds[CHANNEL_FDS_MAX];
    unsigned fd_count;
};

/* Master: makes the two ends, non-blocking, close-on-exec. fds[0] is the bus's. 0 or LPM_EIO. */
int channel_pair(int fds[2], struct error *err);

/* Bus: takes `fd` (closed by channel_free, and on failure), makes the board and sends it. 0, LPM_EIO, LPM_ENOMEM. */
int channel_new_bus(struct channel **ch, int fd, struct error *err);

/* Worker: takes `fd`, waits up to `timeout_ms` (-1: for ever) for the bus's board. 0, LPM_EIO (the bus is gone),
 * LPM_ETIMEDOUT, LPM_EPROTO (that was no board), LPM_ENOMEM. */
int channel_new_worker(struct channel **ch, int fd, int timeout_ms, struct error *err);

/* What was committed and not flushed is lost. Received messages must have been released before. */
void channel_free(struct channel *ch);

/* Nothing more goes either way, which the peer sees when it sends, or has received what was sent before. The board stays. */
void channel_shut(struct channel *ch);

/* The descriptor to poll, level-triggered: readable, a message or the end waits; writable, after channel_flush() said
 * LPM_EAGAIN. */
int channel_fd(const struct channel *ch);

/*
 * Room for a message of `len` bytes, to be written in place, then channel_commit(), or left with channel_drop().
 * One at a time. NULL with `*code`: LPM_EAGAIN (the batch is full and the peer does not read: nothing is lost, try
 * after the next successful channel_flush()), LPM_ETOOBIG, LPM_ENOMEM (memory, or descriptors for a memfd), LPM_EIO,
 * LPM_EINVAL (a length of 0; one is reserved already). A full batch is flushed first.
 */
char *channel_reserve(struct channel *ch, size_t len, int *code);

/* The same for a message with up to CHANNEL_FDS_MAX descriptors, which arrive in this order. They stay the caller's:
 * copies are sent. LPM_ENOMEM as well: one is not open. */
char *channel_reserve_with(struct channel *ch, size_t len, const int *fds, unsigned fd_count, int *code);

void channel_commit(struct channel *ch);
void channel_drop(struct channel *ch);

/* Is there something for channel_flush() to do? */
bool channel_pending(const struct channel *ch);

/* Hands what was committed to the peer. 0: all of it; LPM_EAGAIN: the peer's buffer is full, the rest is kept;
 * LPM_EIO: the peer is gone (what it had sent can still be received). */
int channel_flush(struct channel *ch);

/*
 * The next message: 1; 0: none now; LPM_EIO: the peer is gone and all it had sent has been received (a connection
 * reset is no end: what came before it is delivered first); LPM_EPROTO: it broke the rules of this layer (too large,
 * descriptors that are not sealed memfds, ...), `*why` says how.
 */
int channel_next(struct channel *ch, struct channel_message *message, const char **why);
void channel_release(struct channel *ch, struct channel_message *message);

/* Has it taken in messages that channel_next() did not hand out yet? No poll tells of them: who stops before
 * channel_next() returned 0 (a peer may send for ever) must come back by himself. */
bool channel_waiting(const struct channel *ch);

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
