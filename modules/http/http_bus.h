/*
 * The module in the bus.
 */
#ifndef HTTP_BUS_H
#define HTTP_BUS_H

#include "http_server.h"

/* Reads the configuration and takes the listeners of lpm, but does not accept yet. 0, or LPM_E... with the reason
 * logged. Owned: http_server_free() closes every connection. NULL with 0: there is no http block. */
int http_bus_new(struct http_server **server, lpm_supervisor *s);

/* Begins to accept. */
void http_bus_online(struct http_server *server);

#endif
