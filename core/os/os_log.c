/*
 * Log files. Runs in the master; fails with the system's word for it.
 */
#include "os/os_log.h"

#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os_dir.h"

#define FLAGS (O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

int os_log_open(const char *path, struct error *err)
{
    int rc = os_dir_make_parent(path, 0755, err);
    if (rc < 0) {
        return rc;
    }
    int fd = open(path, O_WRONLY | O_CREAT | FLAGS, 0644);
    if (fd < 0 && errno == ENXIO) {
        fd = open(path, O_RDWR | FLAGS); /* a pipe that nobody reads now: it holds what there is room for */
    }
    if (fd < 0) {
        return error_set(err, LPM_EIO, "cannot open the log %s: %s", path, strerror(errno));
    }
    return fd;
}

void os_log_own(int fd)
{
    char path[32];
    struct stat st;
    int own;

    if (fstat(fd, &st) != 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))) {
        return;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    own = open(path, O_WRONLY | FLAGS);
    if (own >= 0) {
        dup2(own, fd);
        close(own);
    }
}
