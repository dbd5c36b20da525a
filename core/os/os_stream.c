/*
 * Streams. Runs in bus and worker.
 */
#include "os/os_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int os_stream_pair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
        return LPM_EIO;
    }
    if (send(fds[0], "", 1, MSG_NOSIGNAL) != 1) {
        close(fds[0]);
        close(fds[1]);
        return LPM_EIO;
    }
    return 0;
}

int os_stream_end(int fd)
{
    char guard;
    ssize_t n;
    int rc;

    do {
        n = recv(fd, &guard, 1, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    rc = n == 1 && shutdown(fd, SHUT_WR) == 0 ? 0 : LPM_EIO;
    close(fd);
    return rc;
}

int os_stream_check(int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fstat(fd, &st) != 0 || (!S_ISSOCK(st.st_mode) && !S_ISFIFO(st.st_mode)) ||
        fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        return LPM_EINVAL;
    }
    return 0;
}
