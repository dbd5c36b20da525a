/*
 * The receiving half of a channel. For channel.c.
 */
#ifndef CHANNEL_RECEIVE_H
#define CHANNEL_RECEIVE_H

#include "ipc/channel.h"
#include "ipc/note.h"
#include "ipc/share.h"

/* What was handed out of one of the peer's memories. */
struct channel_receive_place {
    struct arena_giver giver;
    uint32_t held; /* blocks of messages that are read in their place */
};

struct channel_receive {
    const struct share_end *end;
    struct ring_reader ring;
    struct channel_receive_place arena, store;
    const char *store_bytes;     /* NULL: it has not come */
    uint32_t answered;           /* of the peer's calls for room */
    struct note notes[NOTE_MAX]; /* that came, oldest first */
    uint32_t note_count;
    bool copies;        /* the bus: nothing is looked at where the peer can still write to it */
    char *room;         /* copies: for one message ... */
    bool room_used;     /* ... which holds it */
    bool ended;         /* the socket said so */
    bool last_look;     /* and what the ring shows now is all there is */
    int over;           /* 0, or what channel_next() says from now on */
    const char *why;    /* with LPM_EPROTO */
    bool asleep, swept; /* see channel_receive_sweep() */
    uint32_t swept_at;
};

/* 0 or LPM_ENOMEM. */
int channel_receive_init(struct channel_receive *r, const struct share_end *end, bool copies);
void channel_receive_fini(struct channel_receive *r);

/* As the functions of channel.h that are called so. */
void channel_receive_look(struct channel_receive *r);
int channel_receive_next(struct channel_receive *r, struct channel_message *message, const char **why);
void channel_receive_release(struct channel_receive *r, struct channel_message *message);
bool channel_receive_waiting(struct channel_receive *r);

/* Does a message wait that waited at the last sweep already, though we were told that a bell would tell? */
bool channel_receive_sweep(struct channel_receive *r);

#endif
