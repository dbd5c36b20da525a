/*
 * What a worker says to the bus.
 */
#ifndef WORKER_OUTPUT_H
#define WORKER_OUTPUT_H

#include "worker/worker_process.h"

/* Sends the frame at once: an answer that has been given must not die with the next handler. While the bus's side
 * is full, waits: the bus never waits for a worker. 0, LPM_ETOOBIG, LPM_ENOMEM; LPM_EIO: the bus is gone, and the
 * worker ends when it has heard what the bus said last. */
int worker_output_send(struct worker *w, const struct frame *frame);

/* The same with a descriptor, which stays the caller's; -1: without. */
int worker_output_send_with(struct worker *w, const struct frame *frame, int fd);

/* A frame that is nothing but its type. */
int worker_output_say(struct worker *w, enum frame_type type);

#endif
