/*
 * What a worker is to hear besides requests, while its channel is full: kept in order and sent when there is room.
 */
#ifndef BUS_OUTBOX_H
#define BUS_OUTBOX_H

#include "bus/bus_worker.h"

/* Sends what waits, as far as there is room. */
void bus_outbox_flush(struct bus_worker *w);

void bus_outbox_clear(struct bus_worker *w);

#endif
