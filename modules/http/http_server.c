/*
 * What all connections share: its life from the start of the process to the end of its drain. Runs in the bus and in workers.
 */
#include "http_server.h"

#include <stdio.h>
#include <stdlib.h>

#include "http_connection.h"

#define NS_PER_S UINT64_C(1000000000)

/* Room behind the largest head, so that a chunked body can be read with any head before it. */
#define INPUT_SPARE 4096

const struct http_date *http_server_date(struct http_server *server)
{
    http_date_update(&server->date, time(NULL));
    return &server->date;
}

static int start(struct http_server *server, int log_fd)
{
    const char *unknown = http_conf_resolve(&server->conf, server);
    if (unknown) {
        lpm_log(server->owner, LPM_LOG_ERROR, "no loaded module named \"%s\" answers requests", unknown);
        return LPM_ENOHANDLER;
    }
    server->input_size = server->conf.large_header_size + INPUT_SPARE;
    http_stock_init(&server->connections, sizeof(struct http_connection));
    http_stock_init(&server->inputs, sizeof(struct http_input) + server->input_size);
    http_stock_init(&server->buffers, HTTP_BUFFER_SIZE);
    server->scratch = malloc(server->conf.large_header_size + 1);
    if (server->scratch == NULL) {
        return LPM_ENOMEM;
    }
    return http_log_init(&server->log, server->owner, server->base, log_fd);
}

int http_server_new(struct http_server **result, const struct http_role *role, void *owner,
                    struct event_base *base, const lpm_conf *root, int log_fd)
{
    struct http_server *server = calloc(1, sizeof(*server));
    int rc;
    *result = NULL;
    if (server == NULL) {
        return LPM_ENOMEM;
    }
    server->role = role;
    server->owner = owner;
    server->base = base;
    server->log.fd = -1;
    server->files = SIZE_MAX;
    rc = http_conf_init(&server->conf, root);
    if (rc == 0 && server->conf.node != NULL) {
        rc = start(server, log_fd);
    }
    if (rc || server->conf.node == NULL) {
        http_server_free(server);
        return rc;
    }
    *result = server;
    return 0;
}

void http_server_free(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    server->ending = true;
    while (server->first) {
        http_connection_close(server->first);
    }
    http_listen_fini(server);
    http_handoff_fini(server);
    http_log_fini(&server->log);
    http_stock_fini(&server->connections);
    http_stock_fini(&server->inputs);
    http_stock_fini(&server->buffers);
    http_pipes_fini(&server->pipes);
    http_conf_fini(&server->conf);
    free(server->scratch);
    free(server);
}

void http_server_drain(struct http_server *server)
{
    struct http_connection *next;
    if (server->online) {
        http_listen_drain(server);
    }
    server->draining = true;
    http_listen_update(server);
    server->count++; /* the server must outlive this loop */
    for (struct http_connection *c = server->first; c; c = next) {
        next = c->next;
        http_connection_drain(c);
    }
    server->count--;
    http_server_left(server);
}

bool http_server_has_files(const struct http_server *server, size_t n)
{
    return server->count + server->handoff.pending + server->streams + n <= server->files;
}

void http_server_stream_opened(struct http_server *server, size_t n)
{
    server->streams += n;
}

void http_server_stream_closed(struct http_server *server, size_t n)
{
    bool full = !http_server_has_files(server, 1);
    server->streams -= n;
    if (full) {
        http_listen_update(server);
    }
}

void http_server_left(struct http_server *server)
{
    const struct http_role *role = server->role;
    void *owner = server->owner;
    if (!server->draining) {
        http_listen_update(server);
    } else if (server->count == 0 && server->handoff.pending == 0 && !server->ending) {
        http_server_free(server);
        role->drained(owner);
    }
}

void http_server_complain(struct http_server *server, const char *fmt, ...)
{
    uint64_t now = http_now();
    char text[256];
    va_list args;
    if (server->complained_at != 0 && now - server->complained_at < NS_PER_S) {
        return;
    }
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    lpm_log(server->owner, LPM_LOG_ERROR, "%s", text);
    server->complained_at = now;
}
