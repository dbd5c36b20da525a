/*
 * Connections for workers. Runs in the bus, which keeps none: a connection is the worker's as soon as the module was called
 * there. When there is no room for more, for whatever reason, it waits a moment instead of spinning; what is not accepted waits in
 * the kernel's queue.
 */
#include "http_handoff.h"

#include <stdlib.h>
#include <unistd.h>

#include "http_client.h"
#include "http_server.h"

#define PENDING_MAX 1024 /* connections that the bus holds until a worker has them */
#define PAUSE_MS    100

static void on_pause_end(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *server = arg;
    (void)fd;
    (void)what;
    server->handoff.paused = false;
    http_listen_update(server);
}

int http_handoff_init(struct http_server *server)
{
    struct http_handoff *handoff = &server->handoff;
    if (!http_conf_hands_off(server->conf.node)) {
        return 0;
    }
    handoff->handler = lpm_supervisor_handler(server->owner, "http");
    if (handoff->handler == NULL) {
        lpm_log(server->owner, LPM_LOG_ERROR,
                "listen with \"handoff\": this module cannot be called in workers");
        return LPM_ENOHANDLER;
    }
    event_assign(&handoff->pause, server->base, -1, 0, on_pause_end, server);
    return 0;
}

void http_handoff_fini(struct http_server *server)
{
    if (server->handoff.handler) {
        event_del(&server->handoff.pause);
    }
}

/* How many connections are open, wherever. Without memory: as many as may be. */
static size_t count_connections(const struct http_server *server)
{
    size_t count = lpm_supervisor_health(server->owner, NULL, 0), open = server->count, in_flight = 0;
    lpm_health *list = calloc(count + 1, sizeof(*list));
    if (list == NULL) {
        return server->conf.max_connections;
    }
    count = lpm_supervisor_health(server->owner, list, count);
    for (size_t i = 0; i < count; i++) {
        open += list[i].sockets;
        in_flight += list[i].in_flight;
    }
    free(list);
    /* Of those without an outcome, as many as are not in flight cannot be among the sockets. */
    return open + (server->handoff.pending > in_flight ? server->handoff.pending - in_flight : 0);
}

bool http_handoff_has_room(struct http_server *server)
{
    struct http_handoff *handoff = &server->handoff;
    struct timeval wait = {0, PAUSE_MS * 1000};
    if (handoff->left == 0) {
        size_t now = count_connections(server);
        handoff->left = now < server->conf.max_connections ? server->conf.max_connections - now : 0;
    }
    if (handoff->left > 0 && handoff->pending < PENDING_MAX && http_server_has_files(server, 1)) {
        return true;
    }
    handoff->paused = event_add(&handoff->pause, &wait) == 0;
    return false;
}

static void on_outcome(lpm_response *res, void *arg)
{
    struct http_server *server = arg;
    server->handoff.pending--;
    if (lpm_response_error(res) != 0) {
        http_server_complain(server, "a connection is closed: %s", lpm_response_error_text(res));
    }
    http_server_left(server);
}

void http_handoff_pass(struct http_server *server, int fd, const struct sockaddr *peer, socklen_t len)
{
    struct http_client client = {0};
    lpm_enqueue spec = {.size = sizeof(spec),
                        .handler = server->handoff.handler,
                        .data = peer,
                        .len = len,
                        .timeout = server->conf.header_timeout,
                        .socket = fd};
    int rc;
    if (server->conf.names_clients) {
        http_client_of_peer(&client, peer);
    }
    spec.client = (lpm_slice){client.bytes, client.len};
    rc = lpm_supervisor_enqueue(server->owner, &spec, on_outcome, server);
    if (rc != 0) {
        http_server_complain(server, "a connection is closed: %s", "no worker takes it");
        close(fd);
        return;
    }
    server->handoff.pending++;
    server->handoff.left--;
}
