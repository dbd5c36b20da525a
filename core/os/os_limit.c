/*
 * Limits of a process. Runs in bus and workers, which have a descriptor for each client or socket.
 */
#include "os/os_limit.h"

#include <sys/resource.h>

void os_limit_raise_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}
