/*
 * The way from a generation that is retired to the one that serves.
 */
#ifndef MASTER_HANDOVER_H
#define MASTER_HANDOVER_H

#include "master/master_context.h"

/* Gives both buses their end of a new channel; nothing happens when one of them has none to talk with, or when there is no
 * descriptor left: then connections end with their generation. */
void master_handover_open(struct master_generation *from, struct master_generation *to);

#endif
