/*
 * Sealed memfds. Runs in bus and worker. A peer's descriptor is judged by what the kernel says of it, never by what
 * the peer said.
 */
#include "ipc/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"

int memfd_make(const char *name, size_t len)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int rc;

    if (fd < 0) {
        return -1;
    }
    /* Not ftruncate(): without memory that fails later, as SIGBUS. */
    do {
        rc = fallocate(fd, 0, 0, (off_t)len);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        int error = errno;
        fd_close(&fd);
        errno = error;
    }
    return fd;
}

int memfd_seal(int fd, int seals)
{
    return fcntl(fd, F_ADD_SEALS, seals) < 0 ? -1 : 0;
}

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* on every architecture */
#endif

/* What statistics of the page cache there are since Linux 6.5. */
struct cache_range {
    uint64_t offset, len;
};

struct cache_state {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

/* Are some of its pages nowhere, in memory or swapped out? The blocks of the file do not tell: it may have as many behind its
 * end. Nor may it be cut there, or its holes be sought, which would wait for a lock that the peer may hold for ever. Without
 * the call nothing is known: false. */
static bool lacks_pages(int fd, size_t len)
{
    struct cache_range range = {0, len};
    struct cache_state state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return syscall(SYS_cachestat, fd, &range, &state, 0u) == 0 &&
           state.cached + state.evicted < (len + page - 1) / page;
}

const char *memfd_check(int fd, size_t len, int seals)
{
    struct stat st;
    struct statfs fs;
    int have = fcntl(fd, F_GET_SEALS);

    if (have < 0) {
        return "a descriptor that is no memfd";
    }
    if ((have & seals) != seals) {
        return "a memfd without the seals";
    }
    if (fstat(fd, &st) < 0 || (size_t)st.st_size != len) {
        return "a memfd of another size than announced";
    }
    if ((size_t)st.st_blocks * 512 < len || lacks_pages(fd, len)) {
        return "a memfd with holes";
    }
    /* One of huge pages may have to be paid for by its reader. */
    if (fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC) {
        return "a memfd of huge pages";
    }
    return NULL;
}
