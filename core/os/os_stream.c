/*
 * Streams. Runs in bus and worker.
 */
#include "os/os_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

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

static ssize_t take_byte(int fd)
{
    char byte;
    ssize_t n;

    do {
        n = recv(fd, &byte, 1, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n;
}

int os_stream_end(int fd)
{
    bool ended = take_byte(fd) == 1;

    /* Behind the guard there is nothing, unless the reader is gone. */
    if (ended) {
        ended = take_byte(fd) < 0 && errno == EAGAIN && shutdown(fd, SHUT_WR) == 0;
    }
    close(fd);
    return ended ? 0 : LPM_EIO;
}

/* Another opening of the same pipe; -1 on failure. */
static int open_again(int fd)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/* `*pipe`: it is one, opened again. */
static int check(int fd, int *pipe)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);

    *pipe = -1;
    if (flags < 0 || fstat(fd, &st) != 0 || (!S_ISSOCK(st.st_mode) && !S_ISFIFO(st.st_mode)) ||
        fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        return LPM_EINVAL;
    }
    if (S_ISFIFO(st.st_mode)) {
        *pipe = open_again(fd);
        return *pipe < 0 ? LPM_EINVAL : 0;
    }
    return 0;
}

int os_stream_check(int fd)
{
    int pipe;
    int rc = check(fd, &pipe);

    fd_close(&pipe);
    return rc;
}

int os_stream_admit(int *fd)
{
    int pipe;
    int rc = check(*fd, &pipe);

    if (pipe >= 0) {
        fd_close(fd);
        *fd = pipe;
    }
    return rc;
}
