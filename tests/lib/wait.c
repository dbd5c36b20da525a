/*
 * Waiting with a deadline. Runs in test programs. Fails by returning false at the deadline.
 */
#include "wait.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

uint64_t wait_until(int timeout_ms)
{
    return clock_now() + (uint64_t)timeout_ms * CLOCK_NS_PER_MS;
}

int wait_left(uint64_t deadline)
{
    uint64_t now = clock_now();
    return now >= deadline ? 0 : (int)((deadline - now + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS);
}

bool wait_fd(int fd, short events, uint64_t deadline)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n;

    do {
        n = poll(&p, 1, wait_left(deadline));
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

int wait_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

bool wait_gone(int pidfd, uint64_t deadline)
{
    return wait_fd(pidfd, POLLIN, deadline);
}
