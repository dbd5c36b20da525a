/*
 * What /proc tells of a process. Runs in the bus; fails when the process is gone.
 */
#include "os/os_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int os_proc_open(pid_t pid)
{
    char path[64];

    if (pid <= 0) {
        errno = ESRCH;
        return LPM_EIO;
    }
    snprintf(path, sizeof(path), "/proc/%ld/statm", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? LPM_EIO : fd;
}

int os_proc_read(int fd, struct os_proc *proc)
{
    char text[128], *end = text;
    uint64_t pages[3]; /* size, resident, shared */
    uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);

    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    if (n <= 0) {
        return LPM_EIO;
    }
    text[n] = '\0';
    for (size_t i = 0; i < 3; i++) {
        char *start = end;
        pages[i] = strtoull(start, &end, 10);
        if (end == start) {
            return LPM_EIO;
        }
    }
    if (pages[0] == 0) { /* dead, but not reaped: it has no memory any more */
        return LPM_EIO;
    }
    proc->resident = pages[1] * page_size;
    proc->shared = pages[2] * page_size;
    return 0;
}

int os_proc_private(pid_t pid, uint64_t *bytes)
{
    char path[64], line[256];
    unsigned long long kib;
    bool found = false;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%ld/smaps_rollup", (long)pid);
    file = fopen(path, "re");
    if (!file) {
        return LPM_EIO;
    }
    *bytes = 0;
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "Private_Clean: %llu kB", &kib) == 1 ||
            sscanf(line, "Private_Dirty: %llu kB", &kib) == 1) {
            *bytes += kib * 1024;
            found = true;
        }
    }
    fclose(file);
    return found ? 0 : LPM_EIO;
}
