/*
 * The module in the bus: it accepts, and its requests go to workers. Runs in the bus; what cannot be set up is named in the log,
 * and the bus does not start.
 */
#include "http_bus.h"

#include <sys/resource.h>
#include <unistd.h>

#include "http_connection.h"
#include "http_handover.h"

/* Descriptors that connections and their streams never get: lpm needs some, as to attach a worker that replaces a dead one. */
#define RESERVED_FILES (128 + 2 * HTTP_PIPES_MAX)

static const lpm_handler *find_handler(const struct http_server *server, const char *name)
{
    return lpm_supervisor_handler(server->owner, name);
}

static int handler_minor(const struct http_server *server, const lpm_handler *handler)
{
    return lpm_supervisor_handler_minor(server->owner, handler);
}

static int enqueue(const struct http_server *server, const lpm_enqueue *spec, lpm_response_fn on_response,
                   void *arg)
{
    return lpm_supervisor_enqueue(server->owner, spec, on_response, arg);
}

static void cancel(const struct http_server *server, uint64_t ticket)
{
    lpm_supervisor_cancel(server->owner, ticket);
}

static int64_t retry_after(const struct http_server *server, const lpm_handler *handler)
{
    return lpm_supervisor_retry_after(server->owner, handler);
}

static void close_socket(const struct http_server *server, int fd)
{
    (void)server;
    close(fd);
}

static void drained(void *owner)
{
    lpm_supervisor_set_context(owner, NULL);
    lpm_supervisor_soft_kill_done(owner);
}

static const struct http_role role = {
    .handler = find_handler,
    .handler_minor = handler_minor,
    .enqueue = enqueue,
    .cancel = cancel,
    .retry_after = retry_after,
    .has_successor = http_handover_is_possible,
    .hand_over = http_handover_send,
    .close = close_socket,
    .drained = drained,
};

/* Fewer connections than configured, where the limit on open files wants it. */
static size_t connection_limit(struct http_server *server)
{
    struct rlimit files;
    size_t allowed, wanted = server->conf.max_connections;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) {
        return wanted;
    }
    allowed = files.rlim_cur > (rlim_t)2 * RESERVED_FILES ? (size_t)files.rlim_cur - RESERVED_FILES
                                                          : (size_t)files.rlim_cur / 2;
    server->files = allowed ? allowed : 1;
    if (wanted <= allowed) {
        return wanted;
    }
    lpm_log(server->owner, LPM_LOG_NOTICE,
            "max_connections %zu is more than %llu open files allow: at most %zu connections are taken",
            wanted, (unsigned long long)files.rlim_cur, allowed);
    return server->files;
}

int http_bus_new(struct http_server **result, lpm_supervisor *s)
{
    const lpm_conf *root = lpm_supervisor_conf(s),
                   *log = lpm_conf_child(lpm_conf_child(root, "http"), "access_log");
    struct http_server *server;
    int rc = http_server_new(&server, &role, s, lpm_supervisor_event_base(s), root,
                             log ? lpm_supervisor_fd(s, log) : -1);
    *result = NULL;
    if (rc || !server) {
        return rc;
    }
    server->max = connection_limit(server);
    http_handover_init(server);
    rc = http_handoff_init(server);
    if (rc == 0) {
        rc = http_listen_init(server);
    }
    if (rc) {
        http_server_free(server);
        return rc;
    }
    *result = server;
    return 0;
}

void http_bus_online(struct http_server *server)
{
    server->online = true;
    http_listen_update(server);
}
