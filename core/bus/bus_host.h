/*
 * The bus's side of the host table: how modules' calls arrive.
 */
#ifndef BUS_HOST_H
#define BUS_HOST_H

#include "bus/bus_process.h"

/* Fills bus->host. */
void bus_host_init(struct bus *bus);

#endif
