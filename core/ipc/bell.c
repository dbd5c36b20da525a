/*
 * Bells. Runs in bus and worker. Ringing cannot fail but for a descriptor that is not open, and does not block: nobody can
 * count an eventfd up to its end by ones.
 */
#include "ipc/bell.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"

int bell_new(void)
{
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int bell_listener(int fd)
{
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLET};
    int listener = epoll_create1(EPOLL_CLOEXEC);

    if (listener >= 0 && epoll_ctl(listener, EPOLL_CTL_ADD, fd, &wanted) < 0) {
        int error = errno;
        fd_close(&listener);
        errno = error;
    }
    return listener;
}

void bell_ring(int fd)
{
    uint64_t one = 1;

    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}
