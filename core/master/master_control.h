/*
 * The master's end of the talk with a generation's bus.
 */
#ifndef MASTER_CONTROL_H
#define MASTER_CONTROL_H

#include "master/master_context.h"

/* Takes `fd`, the master's end of control_pair(), and listens to it. 0 or LPM_ENOMEM. */
int master_control_open(struct master_generation *generation, int fd);

/* Closes it; messages that wait are dropped, with their descriptors. */
void master_control_close(struct master_generation *generation);

/* Sends `message`, now or when the bus has read what came before. Takes `fd` (-1: none). Without a bus: nothing. */
void master_control_send(struct master_generation *generation, const struct control *message, int fd);

/* Takes in all that the bus has said by now: before a death is acted on, so that what was said first counts first. */
void master_control_read(struct master_generation *generation);

#endif
