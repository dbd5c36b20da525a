/*
 * What all connections share: its life from the bus's start to the end of its drain.
 */
#include "http_server.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "http_connection.h"

/* Descriptors that clients never get: the bus needs some to attach a worker that replaces a dead one. */
#define RESERVED_FILES 128

/* Room behind the largest head, so that a chunked body can be read with any head before it. */
#define INPUT_SPARE 4096

const struct http_date *http_server_date(struct http_server *server)
{
    http_date_update(&server->date, time(NULL));
    return &server->date;
}

/* Fewer connections than configured, where the limit on open files wants it. */
static size_t connection_limit(const struct http_server *server)
{
    struct rlimit files;
    size_t allowed, wanted = server->conf.max_connections;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) {
        return wanted;
    }
    allowed = files.rlim_cur > (rlim_t)2 * RESERVED_FILES ? (size_t)files.rlim_cur - RESERVED_FILES
                                                          : (size_t)files.rlim_cur / 2;
    if (wanted <= allowed) {
        return wanted;
    }
    lpm_log(server->s, LPM_LOG_NOTICE,
            "max_connections %zu is more than %llu open files allow: at most %zu connections are taken",
            wanted, (unsigned long long)files.rlim_cur, allowed);
    return allowed ? allowed : 1;
}

static int start(struct http_server *server)
{
    const lpm_conf *log_node = lpm_conf_child(server->conf.node, "access_log");
    const char *unknown = http_conf_resolve(&server->conf, server->s);
    int rc;
    if (unknown) {
        lpm_log(server->s, LPM_LOG_ERROR, "no loaded module named \"%s\" answers requests", unknown);
        return LPM_ENOHANDLER;
    }
    server->max = connection_limit(server);
    server->input_size = server->conf.large_header_size + INPUT_SPARE;
    http_stock_init(&server->connections, sizeof(struct http_connection));
    http_stock_init(&server->inputs, sizeof(struct http_input) + server->input_size);
    http_stock_init(&server->buffers, HTTP_BUFFER_SIZE);
    server->scratch = malloc(server->conf.large_header_size + 1);
    if (server->scratch == NULL) {
        return LPM_ENOMEM;
    }
    http_handover_init(server);
    rc = http_log_init(&server->log, server->s, log_node ? lpm_supervisor_fd(server->s, log_node) : -1);
    return rc ? rc : http_listen_init(server);
}

int http_server_new(struct http_server **result, lpm_supervisor *s)
{
    struct http_server *server = calloc(1, sizeof(*server));
    int rc;
    *result = NULL;
    if (server == NULL) {
        return LPM_ENOMEM;
    }
    server->s = s;
    server->base = lpm_supervisor_event_base(s);
    server->log.fd = -1;
    rc = http_conf_init(&server->conf, lpm_supervisor_conf(s));
    if (rc == 0 && server->conf.node != NULL) {
        rc = start(server);
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
    http_log_fini(&server->log);
    http_stock_fini(&server->connections);
    http_stock_fini(&server->inputs);
    http_stock_fini(&server->buffers);
    http_pipes_fini(&server->pipes);
    http_conf_fini(&server->conf);
    free(server->scratch);
    free(server);
}

void http_server_online(struct http_server *server)
{
    server->online = true;
    http_listen_update(server);
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

void http_server_left(struct http_server *server)
{
    lpm_supervisor *s = server->s;
    if (!server->draining) {
        http_listen_update(server);
    } else if (server->count == 0 && !server->ending) {
        http_server_free(server);
        lpm_supervisor_set_context(s, NULL);
        lpm_supervisor_soft_kill_done(s);
    }
}
