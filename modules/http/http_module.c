/*
 * HTTP/1.1 for lpm. On the supervisor side the module is the ingress: it runs in the bus. On the worker side it serves the
 * connections of listeners with the word `handoff`. In the trial only its table of directives and its conf hook are used.
 */
#include <lpm/module.h>

#include "http_bus.h"
#include "http_conf.h"
#include "http_server.h"
#include "http_worker.h"

static int check(lpm_conf *root)
{
    struct http_conf conf;
    int rc = http_conf_init(&conf, root);
    http_conf_fini(&conf);
    return rc;
}

/* -- In the bus --------------------------------------------------------------------------------------- */

static int init(lpm_supervisor *s)
{
    struct http_server *server;
    int rc = http_bus_new(&server, s);
    lpm_supervisor_set_context(s, server);
    return rc;
}

static void online(lpm_supervisor *s)
{
    struct http_server *server = lpm_supervisor_context(s);
    if (server) {
        http_bus_online(server);
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

/* -- In a worker -------------------------------------------------------------------------------------- */

static int worker_init(lpm_worker *w)
{
    struct http_server *server;
    int rc = http_worker_new(&server, w);
    lpm_worker_set_context(w, server);
    lpm_worker_ready(w);
    return rc;
}

static void worker_soft_kill(lpm_worker *w)
{
    struct http_server *server = lpm_worker_context(w);
    if (server) {
        http_server_drain(server);
    } else {
        lpm_worker_soft_kill_done(w);
    }
}

static void worker_hard_kill(lpm_worker *w)
{
    http_server_free(lpm_worker_context(w));
    lpm_worker_set_context(w, NULL);
}

LPM_MODULE(.name = "http", .version = "1.0", .directives = http_conf_directives, .conf = check,
           .request = http_worker_take, .worker_init = worker_init, .soft_kill = worker_soft_kill,
           .hard_kill = worker_hard_kill, .supervisor_init = init, .supervisor_online = online,
           .supervisor_soft_kill = soft_kill, .supervisor_hard_kill = hard_kill);
