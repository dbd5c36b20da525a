/*
 * What a worker has said: checked, and acted upon.
 */
#ifndef BUS_INPUT_H
#define BUS_INPUT_H

#include "bus/bus_worker.h"

/* Acts on one message, which stays the caller's but for the descriptors that were taken. Returns why the worker has to go, or
 * NULL. Callbacks of modules may have ended it meanwhile. */
const char *bus_input_act(struct bus_worker *w, struct channel_message *message);

#endif
