/*
 * The configuration of the ingress for raw connections. Checked by lpm, before the module sees it.
 */
#include "socket_conf.h"

const lpm_directive socket_conf_directives[] = {
    {.name = "socket",
     .context = "main",
     .type = LPM_CONF_BLOCK,
     .flags = LPM_CONF_MANY,
     .help = "connections that are handed over to a module in a worker, as they are"},
    {.name = "listen",
     .context = "socket",
     .type = LPM_CONF_LISTEN,
     .flags = LPM_CONF_MANY | LPM_CONF_MUST,
     .syntax = "address [backlog=number]",
     .help = "an address to take connections on: 127.0.0.1:7000, [::1]:7000, *:7000, unix:path"},
    {.name = "handler",
     .context = "socket",
     .type = LPM_CONF_HANDLER,
     .flags = LPM_CONF_MUST,
     .help = "the module that serves them"},
    {.name = "max_connections",
     .context = "socket",
     .type = LPM_CONF_NUMBER,
     .min = 1,
     .max = 1000000,
     .value = "10000",
     .help =
         "how many connections may be with workers, those of other blocks too; others wait to be accepted"},
    {.name = NULL},
};
