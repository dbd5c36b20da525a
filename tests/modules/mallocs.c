/*
 * No module, but for LD_PRELOAD: counts what each process asks of malloc(), in a file that is there already, of MALLOCS_SIZE bytes,
 * whose path LPM_TEST_MALLOCS holds. Without it, it counts nothing. For a C library whose malloc has a second name.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* As tests/system/test_mallocs.c has it. */
#define MALLOCS_PIDS 4096u
#define MALLOCS_SIZE (MALLOCS_PIDS * sizeof(_Atomic uint64_t))

#define SEEN __attribute__((visibility("default")))
#define WEAK __attribute__((weak))

SEEN void *malloc(size_t size);
SEEN void *calloc(size_t count, size_t size);
SEEN void *realloc(void *block, size_t size);

WEAK extern void *__libc_malloc(size_t size);
WEAK extern void *__libc_calloc(size_t count, size_t size);
WEAK extern void *__libc_realloc(void *block, size_t size);

static _Atomic uint64_t *counts; /* by pid; children inherit it */

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("LPM_TEST_MALLOCS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map = MAP_FAILED;

    if (fd >= 0) {
        map = mmap(NULL, MALLOCS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    counts = map != MAP_FAILED ? map : NULL;
}

static void count(void)
{
    if (counts) {
        atomic_fetch_add_explicit(&counts[(unsigned)getpid() % MALLOCS_PIDS], 1, memory_order_relaxed);
    }
}

void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *block, size_t size)
{
    count();
    return __libc_realloc(block, size);
}
