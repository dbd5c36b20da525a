/*
 * The ingress for raw connections: what is accepted is handed over to a worker at once.
 */
#ifndef SOCKET_SERVER_H
#define SOCKET_SERVER_H

#include <event2/event_struct.h>
#include <lpm/module.h>
#include <stdbool.h>

struct socket_server;

/* A `listen`. */
struct socket_listener {
    struct socket_block *block;
    const char *address;
    int fd; /* lpm's */
    bool added;
    struct event event;
};

/* A `socket { }`. */
struct socket_block {
    struct socket_server *server;
    const lpm_handler *handler;
    const char *handler_name;
    size_t max;  /* connections with workers */
    size_t left; /* so many may be accepted before it has to be counted again */
    bool paused;
    struct event pause;
    struct socket_listener *listeners;
    size_t listener_count;
};

struct socket_server {
    lpm_supervisor *s;
    struct socket_block *blocks;
    size_t block_count;
    size_t pending; /* connections whose request has no outcome yet */
    bool online, draining;
    uint64_t complained_at; /* ns; 0: never */
};

/* Sets up every `socket` of the configuration; nothing is accepted yet. 0, LPM_ENOMEM, LPM_ENOHANDLER, LPM_EIO, with a
 * line in the log. */
int socket_server_new(struct socket_server **result, lpm_supervisor *s);

/* Begins to accept. */
void socket_server_online(struct socket_server *server);

/* Ends it; then as socket_server_settle(). */
void socket_server_drain(struct socket_server *server);

/* Draining, and the last that was accepted has its outcome: frees the server and says lpm_supervisor_soft_kill_done(). */
void socket_server_settle(struct socket_server *server);

/* NULL is ignored. */
void socket_server_free(struct socket_server *server);

#endif
