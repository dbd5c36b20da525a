/*
 * Idle connections go from a bus that is retired to the one that serves: their clients see neither an end nor a reset.
 */
#ifndef HTTP_HANDOVER_H
#define HTTP_HANDOVER_H

#include <stdbool.h>

struct http_connection;
struct http_server;

/* Takes over what the generation before hands over, from now on. */
void http_handover_init(struct http_server *server);

/* Is there somebody to hand a connection to? */
bool http_handover_is_possible(const struct http_server *server);

/* Hands over a connection of which nothing is here: true: it is gone. */
bool http_handover_send(struct http_connection *c);

#endif
