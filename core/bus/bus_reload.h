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

/* The master's RELOADED; `fd` (-1: none) stays the caller's. */
void bus_reload_done(struct bus *bus, const struct control *message, int fd);

/* No reload is asked for here any more: LPM_EAGAIN, another bus serves; LPM_ESHUTDOWN, lpm ends. Whoever waits hears so. */
void bus_reload_close(struct bus *bus, int why);

#endif
