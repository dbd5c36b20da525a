/*
 * What the bus says to the master, in order; what does not fit into the socket now waits.
 */
#ifndef BUS_MASTER_H
#define BUS_MASTER_H

#include "bus/bus_process.h"
#include "ipc/control.h"

/* `bus->base` and `bus->start->channel` are there. */
void bus_master_init(struct bus *bus);
void bus_master_fini(struct bus *bus);

/* Sends `message`, now or when the master has read what came before. A master that is gone, or takes nothing for
 * thousands of messages, is the end of the bus. */
void bus_master_send(struct bus *bus, const struct control *message);

#endif
