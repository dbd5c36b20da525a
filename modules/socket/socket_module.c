/*
 * The ingress for raw connections of lpm: a supervisor-side module. It runs in the bus; in workers and in the trial only
 * its table of directives is used.
 */
#include <lpm/module.h>

#include "socket_conf.h"
#include "socket_server.h"

static int init(lpm_supervisor *s)
{
    struct socket_server *server;
    int rc = socket_server_new(&server, s);
    lpm_supervisor_set_context(s, server);
    return rc;
}

static void online(lpm_supervisor *s)
{
    socket_server_online(lpm_supervisor_context(s));
}

static void soft_kill(lpm_supervisor *s)
{
    socket_server_drain(lpm_supervisor_context(s));
}

static void hard_kill(lpm_supervisor *s)
{
    socket_server_free(lpm_supervisor_context(s));
    lpm_supervisor_set_context(s, NULL);
}

LPM_MODULE(.name = "socket", .version = "1.0", .directives = socket_conf_directives, .supervisor_init = init,
           .supervisor_online = online, .supervisor_soft_kill = soft_kill, .supervisor_hard_kill = hard_kill);
