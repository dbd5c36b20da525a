/*
 * The pid file: its lock says who is the one instance, its text tells others the pid.
 */
#ifndef OS_PIDFILE_H
#define OS_PIDFILE_H

#include <sys/types.h>

#include "base/error.h"

struct os_pidfile {
    char *path;
    int fd; /* holds the lock; -1: none */
};

/* Creates or takes over `path`, locks it, writes our pid. Makes its directory if that is missing. Refused with the
 * other's pid while another process holds the lock: LPM_EAGAIN. Else 0, LPM_EIO, LPM_ENOMEM. */
int os_pidfile_lock(struct os_pidfile *file, const char *path, struct error *err);

/* Removes the file, if it is still ours, and gives up the lock. */
void os_pidfile_remove(struct os_pidfile *file);

/* Gives the file another name; what has that name is replaced. 0, or LPM_EIO or LPM_ENOMEM: it keeps the one it has. */
int os_pidfile_rename(struct os_pidfile *file, const char *path, struct error *err);

/* Removes the file at `path` if its text is `pid`, of a process that is known to have ended: the kernel may not have come to its
 * lock yet. */
void os_pidfile_sweep(const char *path, pid_t pid);

/* The pid of the instance that holds `path`, for lpm -s. LPM_EAGAIN: nobody does (the text says so). */
int os_pidfile_read(const char *path, pid_t *pid, struct error *err);

#endif
