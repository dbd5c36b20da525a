/*
 * Sealed memfds: memory that is handed to a peer who trusts nobody. For the other files of this room.
 */
#ifndef MEMFD_H
#define MEMFD_H

#include <stddef.h>

/* A memfd of `len` bytes, all of them allocated, that can be sealed. The descriptor, or -1 with errno. */
int memfd_make(const char *name, size_t len);

/* Adds the seals (F_SEAL_...). 0 or -1 with errno. */
int memfd_seal(int fd, int seals);

/* Is it a memfd of ordinary pages, of exactly `len` bytes without holes, with at least these seals? Then reading its
 * mapping can neither fail nor take memory. Before Linux 6.5, holes that are made up for by blocks behind its end are not
 * seen. NULL, or what is wrong. */
const char *memfd_check(int fd, size_t len, int seals);

#endif
