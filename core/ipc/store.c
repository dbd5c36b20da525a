/*
 * Stores. Runs in bus and worker. Nothing that comes from a peer is believed but what the kernel says of it.
 *
 * The seals are what makes a store safe to read: its size stays, and no page of it can be taken away, because the kernel
 * punches no holes into what is sealed against future writing. Its writer's mapping is older than the seal.
 */
#include "ipc/store.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "ipc/memfd.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)

char *store_make(int *fd)
{
    void *bytes = MAP_FAILED;

    *fd = memfd_make("lpm-store", STORE_SIZE);
    if (*fd >= 0) {
        bytes = mmap(NULL, STORE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    }
    if (bytes == MAP_FAILED || memfd_seal(*fd, SEALS | F_SEAL_SEAL) < 0) {
        store_free(bytes == MAP_FAILED ? NULL : bytes);
        fd_close(fd);
        return NULL;
    }
    return bytes;
}

const char *store_take(int fd, const char **why)
{
    void *bytes;

    *why = memfd_check(fd, STORE_SIZE, SEALS);
    if (*why != NULL) {
        return NULL;
    }
    bytes = mmap(NULL, STORE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
    return bytes == MAP_FAILED ? NULL : bytes;
}

void store_free(const char *bytes)
{
    if (bytes != NULL) {
        munmap((void *)(uintptr_t)bytes, STORE_SIZE);
    }
}
