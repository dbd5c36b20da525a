/*
 * The innocent: keep-alive connections whose requests run beside whatever a test does, and must all be answered.
 */
#ifndef CROWD_H
#define CROWD_H

#include "client.h"

#define CROWD_SIZE 50

struct crowd {
    struct client clients[CROWD_SIZE];
    size_t answered;
};

void crowd_open(struct crowd *crowd, int port);
void crowd_close(struct crowd *crowd);

/* Each sends GET /hello; then each has to get 200 and "hello\n". Fails the test otherwise. */
void crowd_send(struct crowd *crowd);
void crowd_check(struct crowd *crowd);

/* Rounds of both, until `c` has something to read (at least one), or fails the test at the deadline. */
void crowd_until(struct crowd *crowd, struct client *c, int timeout_ms);

#endif
