/*
 * Descriptors. Runs in every process.
 */
#include "base/fd.h"

#include <fcntl.h>
#include <lpm/module.h>
#include <stdlib.h>
#include <sys/socket.h>
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
        if (keep[i] < (int)first) {
            continue;
        }
        if ((unsigned)keep[i] > first) {
            close_range(first, (unsigned)keep[i] - 1, 0);
        }
        first = (unsigned)keep[i] + 1;
    }
    close_range(first, ~0u, 0);
}

/* Another process that has the socket too may have told the last close() to wait for the peer: it is not to be this one. */
static void do_not_linger(int fd)
{
    struct linger linger;
    socklen_t len = sizeof(linger);

    if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && linger.l_onoff && linger.l_linger > 0) {
        linger = (struct linger){0, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
}

void fd_close_open(int *fd)
{
    do_not_linger(*fd);
    close(*fd);
    *fd = -1;
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
