/*
 * Descriptors.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>

/* Closes every descriptor above 2 that is not in `keep` (sorted here, in place; entries below 3 are ignored). */
void fd_keep_only(int *keep, size_t count);

/* Closes `*fd` and sets it to -1. A socket with SO_LINGER, which may make that wait, loses it. */
void fd_close_open(int *fd);

/* The same, unless it is -1 already. */
static inline void fd_close(int *fd)
{
    if (*fd >= 0) {
        fd_close_open(fd);
    }
}

/* The same for a descriptor that others may have, too, in a process that may have a thread for a moment: neither does it wait
 * for a peer, if they have set SO_LINGER, nor do they find their socket changed. Without a thread it is changed. */
void fd_let_go_open(int *fd);

static inline void fd_let_go(int *fd)
{
    if (*fd >= 0) {
        fd_let_go_open(fd);
    }
}

/* Makes 0, 1 and 2 of those that are closed /dev/null, so that no later open() can land there. 0 or LPM_EIO. */
int fd_reserve_standard(void);

#endif
