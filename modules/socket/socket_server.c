/*
 * The life of the ingress for raw connections. Runs in the bus; what cannot be set up is named in the log, and the bus
 * does not start.
 */
#include "socket_server.h"

#include <event2/event.h>
#include <stdlib.h>

#include "socket_accept.h"

#define MAX_CONNECTIONS 10000

static size_t count_of(const lpm_conf *first)
{
    size_t count = 0;
    for (const lpm_conf *node = first; node; node = lpm_conf_next(node)) {
        count++;
    }
    return count;
}

static int add_listeners(struct socket_block *block, const lpm_conf *first)
{
    lpm_supervisor *s = block->server->s;

    block->listeners = calloc(count_of(first) + 1, sizeof(*block->listeners));
    if (block->listeners == NULL) {
        return LPM_ENOMEM;
    }
    for (const lpm_conf *node = first; node; node = lpm_conf_next(node)) {
        struct socket_listener *listener = &block->listeners[block->listener_count++];
        listener->block = block;
        listener->address = lpm_conf_arg(node, 0).data;
        listener->fd = lpm_supervisor_fd(s, node);
        if (listener->fd < 0) {
            lpm_log(s, LPM_LOG_ERROR, "listen %s: lpm has opened no socket for it", listener->address);
            return LPM_EIO;
        }
    }
    return 0;
}

static int add_block(struct socket_server *server, const lpm_conf *node)
{
    struct socket_block *block = &server->blocks[server->block_count];
    int rc;

    block->server = server;
    block->handler_name = lpm_conf_string(node, "handler", "");
    block->handler = lpm_supervisor_handler(server->s, block->handler_name);
    block->max = (size_t)lpm_conf_value(node, "max_connections", MAX_CONNECTIONS);
    if (block->handler == NULL) {
        lpm_log(server->s, LPM_LOG_ERROR, "no loaded module named \"%s\" answers requests",
                block->handler_name);
        return LPM_ENOHANDLER;
    }
    rc = add_listeners(block, lpm_conf_child(node, "listen"));
    if (rc != 0) {
        free(block->listeners);
        return rc;
    }
    socket_accept_init(block);
    server->block_count++;
    return 0;
}

int socket_server_new(struct socket_server **result, lpm_supervisor *s)
{
    const lpm_conf *first = lpm_conf_child(lpm_supervisor_conf(s), "socket");
    struct socket_server *server = calloc(1, sizeof(*server));
    int rc = 0;

    *result = NULL;
    if (server == NULL) {
        return LPM_ENOMEM;
    }
    server->s = s;
    server->blocks = calloc(count_of(first) + 1, sizeof(*server->blocks));
    if (server->blocks == NULL) {
        rc = LPM_ENOMEM;
    }
    for (const lpm_conf *node = first; node && rc == 0; node = lpm_conf_next(node)) {
        rc = add_block(server, node);
    }
    if (rc != 0) {
        socket_server_free(server);
        return rc;
    }
    *result = server;
    return 0;
}

void socket_server_online(struct socket_server *server)
{
    server->online = true;
    socket_accept_update(server);
}

void socket_server_drain(struct socket_server *server)
{
    server->draining = true;
    socket_accept_update(server);
    socket_server_settle(server);
}

void socket_server_settle(struct socket_server *server)
{
    lpm_supervisor *s = server->s;

    if (server->draining && server->pending == 0) {
        socket_server_free(server);
        lpm_supervisor_set_context(s, NULL);
        lpm_supervisor_soft_kill_done(s);
    }
}

void socket_server_free(struct socket_server *server)
{
    if (server == NULL) {
        return;
    }
    server->online = false;
    socket_accept_update(server);
    for (size_t i = 0; i < server->block_count; i++) {
        event_del(&server->blocks[i].pause);
        free(server->blocks[i].listeners);
    }
    free(server->blocks);
    free(server);
}
