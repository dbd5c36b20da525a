/*
 * The connection to the bus's control socket: a line of JSON each way.
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <jansson.h>

#include "base/error.h"
#include "ctl/ctl_options.h"

/* Connects: a descriptor, or LPM_EIO. LPM_ECONF: the configuration cannot be read. Enters the prefix. */
int ctl_client_open(const struct ctl_options *options, struct error *err);

/* Sends `request` and reads its answer (the caller's), for as long as it takes. NULL with the text. */
json_t *ctl_client_ask(int fd, const json_t *request, struct error *err);

#endif
