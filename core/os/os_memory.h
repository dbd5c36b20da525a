/*
 * How short of memory the cgroup (v2) and the machine are.
 */
#ifndef OS_MEMORY_H
#define OS_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#define OS_MEMORY_UNKNOWN (-1)

/* Where to look; tests have folders of their own. */
struct os_memory_paths {
    const char *proc;   /* "/proc" */
    const char *cgroup; /* "/sys/fs/cgroup" */
};

struct os_memory {
    uint64_t used; /* bytes that the kernel could not just drop, of the cgroup that is nearest to its limit */
    uint64_t
        limit; /* of that: the lower of memory.max and memory.high; 0: no cgroup above us has one, or none is readable */
    uint64_t oom_kills; /* in our own cgroup and below, since it was made */
    int some,
        full; /* PSI avg10, hundredths of a percent: some, or all, waited for memory; OS_MEMORY_UNKNOWN */
};

/* Reads what there is; what is not there, or is not what it should be, is as if there were no limit and no pressure. Our own
 * cgroup and all above it count; PSI is that of our cgroup, else of the machine. About ten small files. */
void os_memory_read(const struct os_memory_paths *paths, struct os_memory *memory);

/* bytes: what another process may take without making memory short: the least of what is left below 90 % of each cgroup's limit
 * and what the machine has available beyond a twentieth of all; UINT64_MAX: none of it can be read. */
uint64_t os_memory_room(const struct os_memory_paths *paths);

#endif
