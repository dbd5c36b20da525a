/*
 * The connection to the bus's control socket: a line of JSON each way.
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <jansson.h>

#include "base/error.h"
#include "ctl/ctl_options.h"

#define CTL_CLIENT_PATH_SIZE 4096

/* Where the socket is, as the configuration says; enters the prefix. 0, or LPM_ECONF: it cannot be read. */
int ctl_client_find(const struct ctl_options *options, char path[CTL_CLIENT_PATH_SIZE], struct error *err);

/* Connects: a descriptor, or LPM_EIO. */
int ctl_client_open(const char *path, struct error *err);

/* Sends `request` and reads its answer (the caller's), for as long as it takes. NULL with the text. */
json_t *ctl_client_ask(int fd, const json_t *request, struct error *err);

#endif
