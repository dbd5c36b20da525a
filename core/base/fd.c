/*
 * Descriptors. Runs in every process.
 */
#include "base/fd.h"

#include <fcntl.h>
#include <lpm/module.h>
#include <stdlib.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
    const int *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

void fd_keep_only(int *keep, size_t count)
{
    unsigned first = 3;

    if (count > 0) { /* qsort() must not see NULL */
        qsort(keep, count, sizeof(*keep), compare);
    }
    for (size_t i = 0; i < count; i++) {
        if (keep[i] < (int) first) {
            continue;
        }
        if ((unsigned) keep[i] > first) {
            close_range(first, (unsigned) keep[i] - 1, 0);
        }
        first = (unsigned) keep[i] + 1;
    }
    close_range(first, ~0u, 0);
}

void fd_close(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

int fd_reserve_standard(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
        if (fd < 0) {
            return LPM_EIO;
        }
    } while (fd <= 2);
    close(fd);
    return 0;
}
