/*
 * The bus with several workers, each of which the test plays, with the test in the master's place, too.
 */
#ifndef BUS_HANDS_H
#define BUS_HANDS_H

#include "bus_fixture.h"

#define HANDS 16

/* The workers' ends. */
struct hands {
    struct fixture *f;
    struct channel *channel[HANDS];
    uint32_t incarnation[HANDS];
};

static inline struct bus_worker *at(struct hands *h, size_t index)
{
    return &h->f->bus.pools->workers[index];
}

static inline void from_master(struct hands *h, enum control_type type, size_t index, int fd)
{
    struct control message = {
        .type = type, .index = (uint32_t)index, .incarnation = h->incarnation[index], .pid = getpid()};
    assert_int_equal(control_send(h->f->master, &message, fd), 0);
    turn(h->f);
}

static inline void fork_at(struct hands *h, size_t index)
{
    struct error err;
    int fds[2];

    assert_int_equal(channel_pair(fds, &err), 0);
    h->incarnation[index]++;
    from_master(h, CONTROL_WORKER_NEW, index, fds[0]);
    close(fds[0]);
    assert_int_equal(channel_new_worker(&h->channel[index], fds[1], WAIT_MS, &err), 0);
}

/* That worker speaks, or hears. */
static inline void say_at(struct hands *h, size_t index, enum frame_type type)
{
    h->f->channel = h->channel[index];
    say_type(h->f, type);
    h->f->channel = NULL;
    turn(h->f);
}

static inline enum frame_type hear_at(struct hands *h, size_t index, struct frame_key *key)
{
    enum frame_type type;

    h->f->channel = h->channel[index];
    type = hear(h->f, key);
    h->f->channel = NULL;
    return type;
}

static inline void answer_at(struct hands *h, size_t index, struct frame_key key)
{
    h->f->channel = h->channel[index];
    begin(h->f, key);
    answer_and_return(h->f, key, "pong");
    h->f->channel = NULL;
    turn(h->f);
}

/* It ends, and the master reaps it. */
static inline void end_at(struct hands *h, size_t index)
{
    channel_free(h->channel[index]);
    h->channel[index] = NULL;
    turn(h->f);
    from_master(h, CONTROL_WORKER_GONE, index, -1);
}

#endif
