/*
 * Descriptors that the one who started us has handed over: sd_listen_fds(3)'s protocol.
 */
#ifndef OS_INHERIT_H
#define OS_INHERIT_H

#include <stddef.h>

#include "base/error.h"

struct os_inherited {
    int fd; /* -1: somebody has taken it */
    const char *name;
};

struct os_inherit {
    struct os_inherited *list;
    size_t count;
    char *names; /* the names' memory */
};

/* Takes LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES out of the environment, where they are gone for everybody from then on,
 * and the descriptors, close-on-exec, if they are for this process. 0; LPM_ENOMEM, LPM_EINVAL: none is taken, and the
 * text says why. */
int os_inherit_take(struct os_inherit *inherit, struct error *err);

/* Closes those that nobody has taken. */
void os_inherit_fini(struct os_inherit *inherit);

#endif
