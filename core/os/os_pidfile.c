/*
 * The pid file. Runs in the master, and in lpm -s.
 *
 * The lock is an open file description lock: it goes with the last copy of the descriptor, so that a master
 * killed by anything leaves a file that is stale but not locked, and, unlike flock(), it can be tested without
 * being taken, so that lpm -s never stands in the way of an lpm that starts. One byte is locked by who runs here,
 * the next one as soon as the pid in the file is its own, so that nobody takes a stale pid for it.
 */
#include "os/os_pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "os/os_dir.h"

#define TRIES 100 /* how often the file may vanish under us */

enum { BYTE_INSTANCE = 0, BYTE_TEXT = 1 };

static int lock_byte(int fd, off_t byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &lock);
}

static bool is_locked(int fd, off_t byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* Does `path` still name the file that is open as `fd`? */
static bool is_same_file(int fd, const char *path)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 && lstat(path, &named) == 0 && ours.st_dev == named.st_dev &&
           ours.st_ino == named.st_ino;
}

static bool is_regular(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* The pid that the file holds, 0 if its text is not one. */
static pid_t read_pid(int fd)
{
    char text[32], *end;

    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    if (n <= 0) {
        return 0;
    }
    text[n] = '\0';
    if (text[0] < '1' || text[0] > '9') {
        return 0;
    }
    unsigned long pid = strtoul(text, &end, 10);
    return pid <= 0x7fffffff && strcmp(end, "\n") == 0 ? (pid_t)pid : 0;
}

static int write_pid(int fd)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

    ssize_t n = pwrite(fd, text, (size_t)len, 0);
    if (n != len) {
        errno = n < 0 ? errno : ENOSPC;
        return LPM_EIO;
    }
    return ftruncate(fd, len) == 0 && lock_byte(fd, BYTE_TEXT) == 0 ? 0 : LPM_EIO;
}

static int refuse(int fd, const char *path, struct error *err)
{
    pid_t pid = is_locked(fd, BYTE_TEXT) ? read_pid(fd) : 0;
    if (pid == 0) {
        return error_set(err, LPM_EAGAIN, "lpm already runs here: another process holds %s", path);
    }
    return error_set(err, LPM_EAGAIN, "lpm already runs here: pid %ld holds %s", (long)pid, path);
}

/* Opens and locks the file that `path` names at the end: 0 with `*fd`. */
static int open_locked(int *fd, const char *path, struct error *err)
{
    for (int i = 0; i < TRIES; i++) {
        *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
        if (*fd < 0) {
            return error_set(err, LPM_EIO, "cannot open the pid file %s: %s", path, strerror(errno));
        }
        if (!is_regular(*fd)) {
            return error_set(err, LPM_EIO, "cannot use the pid file %s: it is no regular file", path);
        }
        if (lock_byte(*fd, BYTE_INSTANCE) != 0) {
            if (errno == EAGAIN || errno == EACCES) {
                return refuse(*fd, path, err);
            }
            return error_set(err, LPM_EIO, "cannot lock the pid file %s: %s", path, strerror(errno));
        }
        if (is_same_file(*fd, path)) {
            return 0;
        }
        fd_close(fd); /* its last holder removed it between our open() and our lock */
    }
    return error_set(err, LPM_EIO, "cannot lock the pid file %s: it is replaced all the time", path);
}

int os_pidfile_lock(struct os_pidfile *file, const char *path, struct error *err)
{
    file->fd = -1;
    file->path = strdup(path);
    if (!file->path) {
        return error_set(err, LPM_ENOMEM, "no memory for the pid file %s", path);
    }
    int rc = os_dir_make_parent(path, 0755, err);
    if (rc < 0) {
        goto failed;
    }
    rc = open_locked(&file->fd, path, err);
    if (rc < 0) {
        goto failed;
    }
    rc = write_pid(file->fd);
    if (rc < 0) {
        error_set(err, rc, "cannot write the pid file %s: %s", path, strerror(errno));
        os_pidfile_remove(file);
    }
    return rc;

failed:
    fd_close(&file->fd); /* not ours: it stays */
    os_pidfile_remove(file);
    return rc;
}

void os_pidfile_remove(struct os_pidfile *file)
{
    if (file->fd >= 0 && is_same_file(file->fd, file->path)) {
        unlink(file->path);
    }
    fd_close(&file->fd);
    free(file->path);
    file->path = NULL;
}

int os_pidfile_rename(struct os_pidfile *file, const char *path, struct error *err)
{
    char *copy = strdup(path);

    if (!copy) {
        return error_set(err, LPM_ENOMEM, "no memory for the pid file %s", path);
    }
    if (!is_same_file(file->fd, file->path)) {
        errno = ENOENT;
    } else if (rename(file->path, path) == 0) {
        free(file->path);
        file->path = copy;
        return 0;
    }
    free(copy);
    return error_set(err, LPM_EIO, "cannot rename the pid file %s to %s: %s", file->path, path,
                     strerror(errno));
}

void os_pidfile_sweep(const char *path, pid_t pid)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd >= 0 && is_regular(fd) && read_pid(fd) == pid && is_same_file(fd, path)) {
        unlink(path);
    }
    fd_close(&fd);
}

int os_pidfile_read(const char *path, pid_t *pid, struct error *err)
{
    int rc = 0;

    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return error_set(err, LPM_EAGAIN, "lpm does not run here: there is no pid file %s", path);
    }
    if (fd < 0) {
        return error_set(err, LPM_EIO, "cannot open the pid file %s: %s", path, strerror(errno));
    }
    if (!is_regular(fd)) {
        rc = error_set(err, LPM_EIO, "cannot use the pid file %s: it is no regular file", path);
    } else if (!is_locked(fd, BYTE_TEXT)) {
        rc = error_set(err, LPM_EAGAIN, "lpm does not run here: nobody holds the pid file %s", path);
    } else {
        *pid = read_pid(fd);
        if (*pid == 0) {
            rc = error_set(err, LPM_EIO, "the pid file %s is held, but its text is no pid", path);
        }
    }
    fd_close(&fd);
    return rc;
}
