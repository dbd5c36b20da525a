/*
 * What bus and worker say to each other, as bytes. Pure: no I/O, no libevent, no allocation. Decoders trust
 * nothing: what they accept lies wholly inside the given bytes.
 *
 * A frame: a head of FRAME_HEAD_SIZE bytes, then headers, then data. Numbers are in the machine's own order (both
 * ends are the same program on the same machine). A header: u16 length of the name, u16 zero, u32 length of
 * the value, the name, NUL, the value, NUL.
 */
#ifndef FRAME_H
#define FRAME_H

#include <lpm/module.h>
#include <stdbool.h>

#include "base/uuid.h"

enum frame_type {
    /* bus to worker */
    FRAME_REQUEST = 1, /* run this */
    FRAME_CANCEL,      /* nobody waits for it any more: lpm_request_cancelled() */
    FRAME_ABANDON,     /* give it up: take it from its module, answer with LPM_ECANCELED */
    FRAME_DRAIN,       /* soft kill has begun: what runs had better end; more may come */
    FRAME_SOFT_KILL,   /* finish what you have, then exit */
    FRAME_HARD_KILL,   /* run the hooks, then exit */
    FRAME_EVENT,       /* a broadcast event */
    FRAME_REPLY,       /* the answer to an EMIT */
    FRAME_LOG,         /* a log goes on in a new file, which it carries; see frame_key */
    FRAME_TRIM,        /* its memory is nearly all that it may have: give back what is not needed */
    /* worker to bus */
    FRAME_READY,         /* takes requests (again) */
    FRAME_BUSY,          /* takes none until READY */
    FRAME_RESPONSE,      /* the one outcome of a request */
    FRAME_IDLE,          /* a handler came back: there is room for the next, which the bus wanted to know */
    FRAME_EMIT,          /* an event for the bus's modules */
    FRAME_HEAP,          /* what its malloc holds */
    FRAME_SOCKET_CLOSED, /* one of the sockets that were handed to it */
    FRAME_LOG_TAKEN,     /* it writes there now: to the LOG of that number */
    FRAME_TYPE_END
};

/* Which request: its place in the bus's table for this worker, and a number that no other request of the worker
 * had within 2^32, so that a late or forged answer meets nobody else's request. */
struct frame_key {
    uint32_t slot; /* LOG: of which node in the tree; 0: the error log */
    uint32_t seq;  /* counts the worker's requests: 1, 2, 3 ..., and leaves 0 out when it wraps */
};

/* The only header of an EVENT and of an EMIT: its name. */
#define FRAME_EVENT_NAME     ":event"
#define FRAME_EVENT_NAME_MAX 64u

/* So many emits of one worker, or so many bytes of them, may wait for their reply: then the worker refuses its modules more,
 * and the bus kills one that does not. */
#define FRAME_EMITS_MAX       65536u
#define FRAME_EMITS_BYTES_MAX (64u * 1024 * 1024)

/* Flags: which descriptors come with the message, in this order, and more. */
#define FRAME_STREAM \
    1u /* REQUEST, RESPONSE, EVENT, LOG: a stream, or the descriptor of the event or the log */
#define FRAME_SOCKET      2u /* REQUEST: a socket */
#define FRAME_WANTS_REPLY 4u /* EMIT */

struct frame {
    enum frame_type type;
    uint8_t flags;
    struct frame_key
        key; /* REQUEST, CANCEL, ABANDON, RESPONSE; EMIT, REPLY, LOG, LOG_TAKEN: a number of their own in seq */
    int32_t error;                  /* RESPONSE, REPLY: 0 or LPM_E... */
    uint16_t handler;               /* REQUEST: the module's place */
    uint64_t created_at, deadline;  /* REQUEST: ns; deadline 0: none */
    uint64_t heap_total, heap_used; /* HEAP: bytes; in the bytes they stand in the place of these two */
    char id[UUID_TEXT_SIZE];        /* REQUEST */
    size_t header_count;
    lpm_slice headers; /* encoded */
    lpm_slice data;
};

#define FRAME_HEAD_SIZE   96u
#define FRAME_SLOT_MAX    (65536u + 128) /* places of one worker: concurrency and prefetch */
#define FRAME_HEADERS_MAX (256u * 1024) /* bytes of encoded headers */
#define FRAME_DATA_MAX    (UINT64_C(1) << 30)

/* Bytes that frame_encode() will need; SIZE_MAX when a limit is broken. */
size_t frame_size(const struct frame *frame);

/* Writes the frame to `room`, which has frame_size() bytes. */
void frame_encode(const struct frame *frame, char *room);

/* Writes head and data and leaves `headers.len` bytes between them for the caller, who gets their place: for
 * encoding headers in place. */
char *frame_encode_around(const struct frame *frame, char *room);

/* Reads a frame; its slices point into `bytes`. Checks type, sizes, that the headers' encoding is sound, that ids
 * are NUL-terminated, that each type carries only what is its own. 0 or LPM_EPROTO with what was wrong in `*why`. */
int frame_decode(struct frame *frame, const char *bytes, size_t len, const char **why);

/* What a header takes besides its name and its value. */
#define FRAME_HEADER_OVERHEAD 10u

/* Room for one header (more than FRAME_HEADERS_MAX when its name is over 65535 bytes or its value over that limit, so
 * that no sum of it passes), and its writing; returns the place behind it. */
static inline size_t frame_header_size(size_t name_len, size_t value_len)
{
    bool passes = name_len <= UINT16_MAX && value_len <= FRAME_HEADERS_MAX;
    return passes ? FRAME_HEADER_OVERHEAD + name_len + value_len : FRAME_HEADERS_MAX + 1;
}
char *frame_header_encode(char *room, lpm_slice name, lpm_slice value);

/* Reads the header at `*cursor` (start with 0) of decoded headers and moves the cursor on: true, or false at the
 * end. Slices are NUL-terminated. */
bool frame_header_next(lpm_slice headers, size_t *cursor, lpm_header *header);

/* Where a search has got to: zero to begin. */
struct frame_cursor {
    size_t index, at;
};

/* Header `i`, counted from 0: true, or false when there is none. Who asks for one behind the other with the same cursor
 * gets each at once. */
bool frame_header_at(lpm_slice headers, size_t i, struct frame_cursor *cursor, lpm_header *header);

/* The value of the first header `name` (NULL: of none), or an empty slice whose data is "". */
lpm_slice frame_header_find(lpm_slice headers, const char *name);

/* Is `name` one that an answer has only once, and is it among `headers`? Then the one that is there counts. */
bool frame_header_settled(lpm_slice headers, lpm_slice name);

/* May it be said in an answer? A name is a token in lower case, or such with one ':' before it; a value holds
 * no CR, LF or NUL. */
bool frame_header_valid(lpm_slice name, lpm_slice value);

#endif
