/*
 * What all connections of a process share.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <time.h>

#include "http_buffer.h"
#include "http_conf.h"
#include "http_date.h"
#include "http_handoff.h"
#include "http_log.h"
#include "http_parse.h"
#include "http_pipe.h"
#include "http_role.h"

struct http_server;
struct http_connection;

struct http_listener {
    struct http_server *server;
    int fd; /* lpm's */
    bool handoff;
    bool added;
    struct event event;
};

struct http_server {
    const struct http_role *role;
    void *owner; /* the module's lpm_supervisor or lpm_worker */
    struct event_base *base;
    struct http_conf conf;
    struct http_date date;
    struct http_log log;
    struct http_stock connections, inputs, buffers;
    struct http_pipes pipes;
    uint32_t input_size;
    char *scratch;                 /* large_header_size + 1 bytes, for one call */
    struct http_connection *first; /* of all connections */
    size_t count, max;
    size_t streams, files; /* descriptors that streams have; that connections and streams may have together */
    struct http_listener *listeners;
    size_t listener_count;
    bool online, draining, paused, ending;
    uint64_t complained_at; /* http_server_complain() */
    struct event pause;
    struct http_handoff handoff;
};

/* Now, for the limits of connections: ns, up to a tick of the kernel (4 ms) late, which costs a tenth of the exact time. */
static inline uint64_t http_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* The texts of the present second. */
const struct http_date *http_server_date(struct http_server *server);

/* The server of a process, in `role`; `log_fd`: of the access log, lpm's; -1: none. 0, or LPM_E... with the reason logged. Owned:
 * http_server_free() closes every connection. NULL with 0: there is no http block. */
int http_server_new(struct http_server **server, const struct http_role *role, void *owner,
                    struct event_base *base, const lpm_conf *root, int log_fd);
void http_server_free(struct http_server *server);

/* A line in the error log, at most one in a second. */
void http_server_complain(struct http_server *server, const char *fmt, ...) LPM_PRINTF(2, 3);

/* Takes in what waits to be accepted and then no more, closes what is idle, lets the rest finish; then frees the server, takes it out of the module's
 * context and says that its soft kill is done, which may be within this call. */
void http_server_drain(struct http_server *server);

/* May connections and streams have `n` descriptors more? */
bool http_server_has_files(const struct http_server *server, size_t n);

/* A stream has `n` descriptors; it has closed them. */
void http_server_stream_opened(struct http_server *server, size_t n);
void http_server_stream_closed(struct http_server *server, size_t n);

/* A connection has ended: there may be room for another, or it was the last, and the server is gone. */
void http_server_left(struct http_server *server);

/* Reads or does not read the listeners, as the server's state wants it. */
void http_listen_update(struct http_server *server);

/* Takes in the connections that wait to be accepted, as far as there is room: their clients believe them made. */
void http_listen_drain(struct http_server *server);
int http_listen_init(struct http_server *server);
void http_listen_fini(struct http_server *server);

#endif
