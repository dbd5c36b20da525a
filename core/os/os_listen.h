/*
 * Listening sockets.
 */
#ifndef OS_LISTEN_H
#define OS_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define OS_LISTEN_TEXT_SIZE 128

/*
 * Writes the address with a number in the place of a host's name, and any other as it is. `address`: PORT, *:PORT, HOST:PORT (a
 * numeric IPv4 address, or a name), [IPV6]:PORT, unix:PATH. Of the addresses of a name, the first IPv4 one is taken, or
 * else the first IPv6 one. Only for a name it asks the resolver, which may take its time; nothing else here does.
 * 0, LPM_ECONF (malformed) or LPM_EIO; the text says the address and why.
 */
int os_listen_resolve(const char *address, char room[OS_LISTEN_TEXT_SIZE], struct error *err);

/*
 * Binds and listens, non-blocking, close-on-exec. `address`: as above, without a name. `backlog`: -1 for the system's maximum.
 * Port 0 takes a free one.
 * A socket file that nobody listens on is replaced; the new one is open to everybody (0666).
 * `bound` (size bytes) receives the address as bound, for the log. 0 with `*fd`, LPM_ECONF (malformed) or LPM_EIO; the text says the address and why.
 */
int os_listen(int *fd, const char *address, int backlog, char *bound, size_t size, struct error *err);

/* The same; nobody but its owner may connect to a socket file (0600). */
int os_listen_private(int *fd, const char *address, char *bound, size_t size, struct error *err);

/* A listener that nobody can reach: what to hand to those who were promised one. It needs the directory for a moment.
 * 0 or LPM_EIO. */
int os_listen_deaf(int *fd, const char *dir, struct error *err);

/* Listens `fd`, a listener, on that address? A name or a port 0 is no address; a socket for both IPv6 and IPv4 on any address listens on
 * either. */
bool os_listen_bound(int fd, const char *address);

/* What a socket is bound to, for people; "no socket" is possible. */
const char *os_listen_text(int fd, char room[OS_LISTEN_TEXT_SIZE]);

/* Gives a listener another backlog. */
void os_listen_backlog(int fd, int backlog);

/* For the process that bound it, once nobody shall accept from it any more. Closes; a unix: address refuses from
 * then on, in every process that has a copy of `fd`, and its file is removed unless somebody else listens there
 * by now. `fd` is set to -1. */
void os_listen_close(int *fd, const char *address);

/* Removes the file of a unix: address on which nobody listens. */
void os_listen_sweep(const char *address);

/* Checks the form of an address without touching anything. 0 or LPM_ECONF. */
int os_listen_check(const char *address, struct error *err);

#endif
