/*
 * Listening sockets.
 */
#ifndef OS_LISTEN_H
#define OS_LISTEN_H

#include <stddef.h>

#include "base/error.h"

/*
 * Binds and listens, non-blocking, close-on-exec. `address`: PORT, *:PORT, HOST:PORT (a numeric IPv4 address, or
 * a name that resolves), [IPV6]:PORT, unix:PATH. `backlog`: -1 for the system's maximum.
 * Port 0 takes a free one. A socket file that nobody listens on is replaced. `bound` (size bytes) receives the
 * address as bound, for the log. 0 with `*fd`, LPM_ECONF (malformed) or LPM_EIO; the text says the address and why.
 */
int os_listen(int *fd, const char *address, int backlog, char *bound, size_t size, struct error *err);

/* Closes, and removes the file of a unix: address if it is ours. `fd` is set to -1. */
void os_listen_close(int *fd, const char *address);

/* Checks the form of an address without touching anything. 0 or LPM_ECONF. */
int os_listen_check(const char *address, struct error *err);

#endif
