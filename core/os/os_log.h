/*
 * The files that logs are written to.
 */
#ifndef OS_LOG_H
#define OS_LOG_H

#include "base/error.h"

/* Opens (creates, 0644) a log for appending, close-on-exec, and makes its directory (0755) if that is missing. Writing to
 * it never waits: neither for a terminal, nor for the reader of a pipe, who need not be there yet.
 * The descriptor, or LPM_EIO; the text names the file. */
int os_log_open(const char *path, struct error *err);

/* Makes writing to `fd`, a descriptor that others may have too, not wait any more, without their noticing: a pipe or
 * terminal is opened once more, for us alone, and gets its number. Files and sockets, and what cannot be opened, stay
 * as they are. */
void os_log_own(int fd);

#endif
