/*
 * On whose behalf a request comes, as lpm counts it when it has to share out a queue: an IPv4 address, or the /64 of an IPv6
 * one, in which one client has all addresses. Pure.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <lpm/module.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Four bytes, or eight; none: nobody's. */
struct http_client {
    uint8_t len;
    char bytes[8];
};

/* The one behind that socket; nobody behind one that has no address. */
void http_client_of_peer(struct http_client *client, const struct sockaddr *peer);

/* The one whom a proxy names in the last word of its list ("1.2.3.4, ::1"): true, and an address, with or without a port, is in
 * `*client`; any other word is in `*word`, and `*client` empty. False: there is none. */
bool http_client_of_list(struct http_client *client, lpm_slice list, lpm_slice *word);

#endif
