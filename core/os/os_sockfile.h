/*
 * The files of unix sockets.
 */
#ifndef OS_SOCKFILE_H
#define OS_SOCKFILE_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/error.h"

/* Binds a new socket to that path, where the file has exactly `mode` from its first moment on, whatever the umask. One that is
 * left of a socket that nobody has any more is replaced. 0, or LPM_EIO with the reason. Not beside other threads: it
 * sets the umask for a moment. */
int os_sockfile_bind(int fd, const struct sockaddr_un *un, mode_t mode, struct error *err);

/* Removes the file of a socket that nobody has any more, or that accepts nothing any more; not that of a starting server, which is
 * bound and will listen. Was it removed? */
bool os_sockfile_sweep(const char *path);

#endif
