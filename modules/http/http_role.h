/*
 * Where the module runs: in the bus, which hands requests to workers, or in a worker, which has connections of its own. All that
 * differs is in this table; the rest of the module does not know.
 */
#ifndef HTTP_ROLE_H
#define HTTP_ROLE_H

#include <lpm/module.h>
#include <stdbool.h>

struct http_connection;
struct http_server;

struct http_role {
    /* As lpm_supervisor_handler(), _handler_minor(), _enqueue(), _cancel() and _retry_after(). */
    const lpm_handler *(*handler)(const struct http_server *server, const char *name);
    int (*handler_minor)(const struct http_server *server, const lpm_handler *handler);
    int (*enqueue)(const struct http_server *server, const lpm_enqueue *spec, lpm_response_fn on_response,
                   void *arg);
    void (*cancel)(const struct http_server *server, uint64_t ticket);
    int64_t (*retry_after)(const struct http_server *server, const lpm_handler *handler);

    /* Is there somebody to hand a connection to, while the server drains? */
    bool (*has_successor)(const struct http_server *server);

    /* Hands over a connection of which nothing is here: true: it is gone. */
    bool (*hand_over)(struct http_connection *c);

    /* Closes a client's socket. */
    void (*close)(const struct http_server *server, int fd);

    /* The server of that handle has drained, and is gone. */
    void (*drained)(void *owner);
};

#endif
