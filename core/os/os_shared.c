/*
 * Memory shared over fork(). Runs in the master. A kernel that could not hide it would have to be one older than 2.6.16.
 */
#include "os/os_shared.h"

#include <sys/mman.h>

void *os_shared_new(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        return NULL;
    }
    os_shared_show(memory, size, false);
    return memory;
}

void os_shared_show(void *memory, size_t size, bool shown)
{
    madvise(memory, size, shown ? MADV_DOFORK : MADV_DONTFORK);
}

void os_shared_free(void *memory, size_t size)
{
    if (memory) {
        munmap(memory, size);
    }
}
