/*
 * Taking connections in and handing them over.
 */
#ifndef SOCKET_ACCEPT_H
#define SOCKET_ACCEPT_H

#include "socket_server.h"

/* Listens, or does not, as the state of the server and its blocks wants it. */
void socket_accept_update(struct socket_server *server);

/* event_assign() of the block and its listeners, whose descriptors are known. */
void socket_accept_init(struct socket_block *block);

#endif
