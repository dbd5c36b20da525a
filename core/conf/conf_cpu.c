/*
 * Processors, for `count auto`. Runs in the master; what cannot be read sets no limit.
 */
#include "conf/conf_cpu.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

unsigned conf_cpu_quota(const char *text, unsigned all)
{
    uint64_t quota, period;
    if (sscanf(text, "%" SCNu64 " %" SCNu64, &quota, &period) != 2 || quota == 0 || period == 0) {
        return all;
    }
    uint64_t count = quota / period + (quota % period != 0);
    return count < all ? (unsigned)count : all;
}

/* The beginning of a small file, NUL-terminated; "" when it cannot be read. */
static char *read_small(const char *path, char *room, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, room, size - 1);
    room[n > 0 ? n : 0] = '\0';
    if (fd >= 0) {
        close(fd);
    }
    return room;
}

/* The limits of our cgroup and of all that it lies in. */
static unsigned cgroup_limit(unsigned all)
{
    char groups[PATH_MAX], path[PATH_MAX + 64], text[64];
    char *own = strstr(read_small("/proc/self/cgroup", groups, sizeof(groups)), "0::/");

    if (own == NULL) {
        return all;
    }
    own += strlen("0::");
    own[strcspn(own, "\n")] = '\0';
    for (;;) {
        snprintf(path, sizeof(path), CGROUP_ROOT "%s/cpu.max", own);
        all = conf_cpu_quota(read_small(path, text, sizeof(text)), all);
        char *slash = strrchr(own, '/');
        if (slash == NULL) {
            return all;
        }
        *slash = '\0';
    }
}

unsigned conf_cpu_count(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return cgroup_limit(count > 0 ? (unsigned)count : 1);
}
