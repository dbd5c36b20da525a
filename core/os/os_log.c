/*
 * Log files. Runs in the master; fails with the system's word for it.
 */
#include "os/os_log.h"

#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <string.h>

#include "os/os_dir.h"

int os_log_open(const char *path, struct error *err)
{
    int rc = os_dir_make_parent(path, 0755, err);
    if (rc < 0) {
        return rc;
    }
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
    if (fd < 0) {
        return error_set(err, LPM_EIO, "cannot open the log %s: %s", path, strerror(errno));
    }
    return fd;
}
