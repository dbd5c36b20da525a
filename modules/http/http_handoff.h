/*
 * Connections of listeners with the word `handoff`: the bus accepts them and passes them on to workers.
 */
#ifndef HTTP_HANDOFF_H
#define HTTP_HANDOFF_H

#include <event2/event_struct.h>
#include <lpm/module.h>
#include <stdbool.h>
#include <sys/socket.h>

struct http_server;

struct http_handoff {
    const lpm_handler *handler; /* this module, in the worker; NULL: no listener hands off */
    size_t pending;             /* connections whose request has no outcome yet */
    size_t left;                /* so many may be accepted before it has to be counted again */
    bool paused;
    struct event pause;
};

/* 0, or LPM_ENOHANDLER with a line in the log. */
int http_handoff_init(struct http_server *server);
void http_handoff_fini(struct http_server *server);

/* May one more be accepted? If not, nothing is for a moment. */
bool http_handoff_has_room(struct http_server *server);

/* Passes `fd` on, or closes it. */
void http_handoff_pass(struct http_server *server, int fd, const struct sockaddr *peer, socklen_t len);

#endif
