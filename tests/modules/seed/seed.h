/*
 * The module `seed`: what its two sides share.
 */
#ifndef SEED_H
#define SEED_H

#define LPM_NEEDS 1
#include <lpm/module.h>

#include <event2/event.h>

#define SEED_TEXT_SIZE 8192

/* The worker's side; see seed_worker.c. */
void seed_request(lpm_request *req);
int seed_worker_init(lpm_worker *w);

/* The supervisor's; see seed_bus.c. */
int seed_supervisor_init(lpm_supervisor *s);

/* As a NUL-terminated text, cut at the end of `room`. */
void seed_text(lpm_slice data, char *room, size_t size);

/* Cuts the first word off; NULL: nothing is left. */
char *seed_word(char **text);

/* Answers with it. */
int seed_say(lpm_request *req, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Answers with `text` in `ms`. */
void seed_answer_later(struct event_base *base, lpm_request *req, long ms, const char *text);

/* What comes through a stream. */
struct seed_flow {
    struct event *event;
    int fd;
    size_t bytes;
    unsigned long sum;
    void (*done)(struct seed_flow *flow, int error);
    void *arg;
};

/* Reads `fd` to its end, closes it and calls `done`. */
void seed_flow_read(struct event_base *base, int fd, void (*done)(struct seed_flow *, int), void *arg);

/* A `done` that answers the request in flow->arg with what came. */
void seed_tell_flow(struct seed_flow *flow, int error);

/* Writes `size` bytes, 0, 1, 2 ..., and ends the stream, or just closes it. */
void seed_source_write(const void *handle, struct event_base *base, int fd, size_t size, int abort);

#endif
