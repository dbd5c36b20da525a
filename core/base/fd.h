/*
 * Descriptors.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>

/* Closes every descriptor above 2 that is not in `keep` (sorted here, in place; entries below 3 are ignored). */
void fd_keep_only(int *keep, size_t count);

/* Closes `*fd` and sets it to -1. */
void fd_close_open(int *fd);

/* The same, unless it is -1 already. */
static inline void fd_close(int *fd)
{
    if (*fd >= 0) {
        fd_close_open(fd);
    }
}

/* Makes 0, 1 and 2 of those that are closed /dev/null, so that no later open() can land there. 0 or LPM_EIO. */
int fd_reserve_standard(void);

#endif
