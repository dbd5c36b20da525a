/*
 * The HTTP/1.1 ingress of lpm: a supervisor-side module. It runs in the bus; in workers and in the trial only its
 * table of directives and its conf hook are used.
 */
#include <lpm/module.h>

#include "http_conf.h"
#include "http_server.h"

static int check(lpm_conf *root)
{
    struct http_conf conf;
    int rc = http_conf_init(&conf, root);
    http_conf_fini(&conf);
    return rc;
}

static int init(lpm_supervisor *s)
{
    struct http_server *server;
    int rc = http_server_new(&server, s);
    lpm_supervisor_set_context(s, server);
    return rc;
}

static void online(lpm_supervisor *s)
{
    struct http_server *server = lpm_supervisor_context(s);
    if (server) {
        http_server_online(server);
    }
}

static void soft_kill(lpm_supervisor *s)
{
    struct http_server *server = lpm_supervisor_context(s);
    if (server) {
        http_server_drain(server);
    } else {
        lpm_supervisor_soft_kill_done(s);
    }
}

static void hard_kill(lpm_supervisor *s)
{
    http_server_free(lpm_supervisor_context(s));
    lpm_supervisor_set_context(s, NULL);
}

LPM_MODULE(.name = "http", .version = "1.0", .directives = http_conf_directives, .conf = check,
           .supervisor_init = init, .supervisor_online = online, .supervisor_soft_kill = soft_kill,
           .supervisor_hard_kill = hard_kill);
