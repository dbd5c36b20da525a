/*
 * Connections between two generations. Runs in the bus, in both. One that cannot be handed over ends with its generation.
 */
#include "http_handover.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_connection.h"

#define VERSION 1

/* What the next bus has to know; another version of the module may read it. */
struct passport {
    uint8_t version;
    uint8_t fresh;
    uint8_t reserved[2];
    uint32_t requests;
};

bool http_handover_is_possible(const struct http_server *server)
{
    return lpm_supervisor_has_successor(server->owner) != 0;
}

bool http_handover_send(struct http_connection *c)
{
    struct passport passport = {.version = VERSION, .fresh = c->fresh, .requests = c->requests};

    if (!http_handover_is_possible(c->server)) {
        return false;
    }
    event_del(&c->read);
    if (lpm_supervisor_hand_over(c->server->owner, c->fd, &passport, sizeof(passport)) != 0) {
        event_add(&c->read, NULL);
        return false;
    }
    c->fd = -1;
    http_connection_close(c);
    return true;
}

static void on_take_over(lpm_supervisor *s, int fd, lpm_slice data, void *arg)
{
    struct http_server *server = lpm_supervisor_context(s);
    struct passport passport = {0};
    struct sockaddr_storage peer = {.ss_family = AF_UNIX};
    socklen_t len = sizeof(peer);
    struct http_connection *c;

    (void)arg;
    if (!server && lpm_supervisor_hand_over(s, fd, data.data, data.len) == 0) {
        return; /* all else has gone on already */
    }
    if (!server || getpeername(fd, (struct sockaddr *)&peer, &len) != 0) {
        close(fd);
        return;
    }
    if (!server->draining && (server->count >= server->max || !http_server_has_files(server, 1))) {
        http_server_complain(server, "max_connections %zu: a connection of the generation before is closed",
                             server->max);
        close(fd);
        return;
    }
    c = http_connection_new(server, fd, (const struct sockaddr *)&peer);
    if (!c) {
        return;
    }
    if (data.len == sizeof(passport)) {
        memcpy(&passport, data.data, sizeof(passport));
    }
    if (passport.version == VERSION && !passport.fresh) {
        c->fresh = false;
        c->requests = passport.requests;
        c->answered_at = http_now();
        http_io_deadline(c, server->conf.keepalive_timeout);
    }
    if (!c->fresh && server->conf.keepalive_timeout == 0) {
        http_connection_close(c);
    } else if (server->draining) {
        http_connection_drain(c);
    }
}

void http_handover_init(struct http_server *server)
{
    lpm_supervisor_take_over(server->owner, on_take_over, NULL);
}
