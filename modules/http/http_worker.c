/*
 * The module in a worker: the bus hands it connections, and handlers of this process answer. Runs in a worker, whose death ends
 * its connections.
 */
#include "http_worker.h"

#include <string.h>
#include <sys/socket.h>

#include "http_connection.h"

#define RETRY_AFTER_MS 1000

static const lpm_handler *find_handler(const struct http_server *server, const char *name)
{
    return lpm_worker_handler(server->owner, name);
}

static int handler_minor(const struct http_server *server, const lpm_handler *handler)
{
    return lpm_worker_handler_minor(server->owner, handler);
}

static int enqueue(const struct http_server *server, const lpm_enqueue *spec, lpm_response_fn on_response,
                   void *arg)
{
    return lpm_worker_call(server->owner, spec, on_response, arg);
}

static void cancel(const struct http_server *server, uint64_t ticket)
{
    lpm_worker_cancel(server->owner, ticket);
}

static int64_t retry_after(const struct http_server *server, const lpm_handler *handler)
{
    (void)server;
    (void)handler;
    return RETRY_AFTER_MS;
}

static bool has_successor(const struct http_server *server)
{
    (void)server;
    return false;
}

static bool hand_over(struct http_connection *c)
{
    (void)c;
    return false;
}

static void close_socket(const struct http_server *server, int fd)
{
    lpm_socket_close(server->owner, fd);
}

static void drained(void *owner)
{
    lpm_worker_set_context(owner, NULL);
    lpm_worker_soft_kill_done(owner);
}

static const struct http_role role = {
    .handler = find_handler,
    .handler_minor = handler_minor,
    .enqueue = enqueue,
    .cancel = cancel,
    .retry_after = retry_after,
    .has_successor = has_successor,
    .hand_over = hand_over,
    .close = close_socket,
    .drained = drained,
};

int http_worker_new(struct http_server **server, lpm_worker *w)
{
    const lpm_conf *root = lpm_worker_conf(w), *http = lpm_conf_child(root, "http");
    const lpm_conf *log = lpm_conf_child(http, "access_log");
    *server = NULL;
    if (!http_conf_hands_off(http)) {
        return 0;
    }
    return http_server_new(server, &role, w, lpm_worker_event_base(w), root,
                           log ? lpm_worker_fd(w, log) : -1);
}

/* Who the client is: the bus says it; of a connection that something else handed over, the kernel. */
static void find_peer(const lpm_request *req, int fd, struct sockaddr_storage *peer)
{
    lpm_slice said = lpm_request_data(req);
    socklen_t len = sizeof(*peer);
    *peer = (struct sockaddr_storage){.ss_family = AF_UNIX};
    if (said.len > 0 && said.len <= sizeof(*peer)) {
        memcpy(peer, said.data, said.len);
    } else {
        getpeername(fd, (struct sockaddr *)peer, &len);
    }
}

void http_worker_take(lpm_request *req)
{
    struct http_server *server = lpm_worker_context(lpm_request_worker(req));
    struct sockaddr_storage peer;
    struct http_connection *c;
    int fd;
    if (!server || !lpm_request_has_socket(req)) {
        lpm_respond_header(req, ":status", "400");
        lpm_respond_text(req, "http serves connections of \"listen ADDRESS handoff\", and no requests\n");
        return;
    }
    fd = lpm_request_socket(req);
    if (fd < 0) {
        lpm_log(server->owner, LPM_LOG_ERROR,
                "a connection is closed: no memory or descriptor is left for it");
    } else {
        find_peer(req, fd, &peer);
        c = http_connection_new(server, fd, (const struct sockaddr *)&peer);
        if (c && server->draining) {
            http_connection_drain(c);
        }
    }
    lpm_ack(req);
}
