/*
 * Reloads that clients of the control socket ask for, and what the last one came to.
 */
#ifndef BUS_RELOAD_H
#define BUS_RELOAD_H

#include "bus/bus_ctl.h"
#include "ipc/control.h"

void bus_reload_init(struct bus *bus);

/* The command: the client is answered when the reload has ended. */
void bus_reload_ask(struct bus_ctl_client *client);

/* The master's RELOADED; `fd` (-1: none) stays the caller's. Those who asked for what serves now hear of it when this bus
 * has stopped to accept: whatever they send then is answered by the new generation. */
void bus_reload_done(struct bus *bus, const struct control *message, int fd);

/* Another bus serves, and is to be asked from now on. */
void bus_reload_retire(struct bus *bus);

/* This bus accepts nothing any more: whoever waits is answered, or hears whom to ask, or that lpm ends. */
void bus_reload_close(struct bus *bus);

#endif
