/*
 * Round trips over a channel of lpm: the bus's end and a worker's.
 */
#include <limits.h>
#include <lpm/module.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/channel.h"
#include "roundtrip.h"

struct end {
    struct channel *ch;
    size_t payload;
    char *bytes;
    unsigned owed; /* for which there was no room */
};

static bool put(struct end *e)
{
    int code;
    char *room = channel_reserve(e->ch, e->payload, &code);

    if (room == NULL) {
        if (code != LPM_EAGAIN && code != LPM_EIO) {
            roundtrip_die("channel_reserve");
        }
        return false;
    }
    memcpy(room, e->bytes, e->payload);
    channel_commit(e->ch);
    return true;
}

static void pay(struct end *e)
{
    while (e->owed > 0 && put(e)) {
        e->owed--;
    }
}

/* Takes all that is there and sends as many back: how many, or negative at the end. */
static int take(struct end *e)
{
    struct channel_message message;
    const char *why;
    int count = 0, rc;

    pay(e);
    while ((rc = channel_next(e->ch, &message, &why)) == 1) {
        channel_release(e->ch, &message);
        e->owed++;
        pay(e);
        count++;
        /* The other side can work beside us. */
        if (count % 32 == 0) {
            channel_flush(e->ch);
        }
    }
    channel_flush(e->ch);
    return rc < 0 ? rc : count;
}

static void make(int fds[2])
{
    struct error err;

    if (channel_pair(fds, &err) < 0) {
        roundtrip_die(err.text);
    }
}

static void echo(const struct roundtrip *r, int *fds)
{
    struct end e = {.payload = r->payload, .bytes = roundtrip_room(r->payload)};
    struct error err;
    int loop;

    if (channel_new_worker(&e.ch, fds[1], 5000, &err) < 0) {
        roundtrip_die(err.text);
    }
    loop = roundtrip_listen(channel_bell(e.ch), channel_fd(e.ch));
    while (take(&e) >= 0) {
        if (roundtrip_sleep(loop)) {
            channel_look(e.ch);
        }
    }
}

static uint64_t drive(struct roundtrip *r, int *fds)
{
    struct end e = {.payload = r->payload, .bytes = roundtrip_room(r->payload), .owed = r->in_flight};
    uint64_t start = clock_now(), last = 0, done = 0;
    struct error err;
    int loop;

    if (channel_new_bus(&e.ch, fds[0], &err) < 0) {
        roundtrip_die(err.text);
    }
    loop = roundtrip_listen(channel_bell(e.ch), channel_fd(e.ch));
    pay(&e);
    channel_flush(e.ch);
    while (!roundtrip_over(r, start, &last)) {
        int n;
        if (roundtrip_sleep(loop)) {
            channel_look(e.ch);
        }
        if ((n = take(&e)) < 0) {
            roundtrip_die("channel_next");
        }
        done += (unsigned)n;
    }
    channel_free(e.ch);
    free(e.bytes);
    close(loop);
    return done;
}

const struct roundtrip_way roundtrip_channel = {.name = "channel",
                                                .payload_max = SIZE_MAX,
                                                .in_flight_max = UINT_MAX,
                                                .make = make,
                                                .drive = drive,
                                                .echo = echo};
