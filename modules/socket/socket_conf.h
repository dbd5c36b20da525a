/*
 * The configuration of the ingress for raw connections.
 */
#ifndef SOCKET_CONF_H
#define SOCKET_CONF_H

#include <lpm/module.h>

extern const lpm_directive socket_conf_directives[];

#endif
