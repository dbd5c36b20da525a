/*
 * The commands of the control socket.
 */
#ifndef BUS_CTL_COMMAND_H
#define BUS_CTL_COMMAND_H

#include "bus/bus_ctl.h"

/* Does what the object says, and answers at once or later. `request` stays the caller's. */
void bus_ctl_command(struct bus_ctl_client *client, const json_t *request);

#endif
