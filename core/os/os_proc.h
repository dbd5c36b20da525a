/*
 * What /proc tells of a process.
 */
#ifndef OS_PROC_H
#define OS_PROC_H

#include <stdint.h>
#include <sys/types.h>

struct os_proc {
    uint64_t resident; /* bytes */
    uint64_t shared;   /* bytes of it that have a file behind them or are shared memory */
};

/* Opens /proc/PID/statm: a descriptor that stays with this very process (after its death reads fail, whoever
 * has the pid then), or LPM_EIO. */
int os_proc_open(pid_t pid);

/* Reads it: one pread(). 0 or LPM_EIO. */
int os_proc_read(int fd, struct os_proc *proc);

/* bytes: what it has for itself alone, counted page by page: a ms or so for each 100 MiB. 0, or LPM_EIO: it is gone, or not ours
 * to look into. */
int os_proc_private(pid_t pid, uint64_t *bytes);

#endif
