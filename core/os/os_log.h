/*
 * The files that logs are written to.
 */
#ifndef OS_LOG_H
#define OS_LOG_H

#include "base/error.h"

/* Opens (creates, 0644) a log for appending, close-on-exec, and makes its directory (0755) if that is missing.
 * The descriptor, or LPM_EIO; the text names the file. */
int os_log_open(const char *path, struct error *err);

#endif
