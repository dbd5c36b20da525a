/*
 * Pipes to splice through. Runs in the bus. Without one the caller copies.
 */
#include "http_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define ROOM (256 << 10) /* bytes that a pipe is to hold; where the system allows less, it holds less */

bool http_pipe_lend(struct http_pipes *pipes, struct http_pipe *pipe)
{
    if (pipe->lent) {
        return true;
    }
    if (pipes->spare_count > 0) {
        pipes->spare_count--;
        pipe->fds[0] = pipes->spare[pipes->spare_count][0];
        pipe->fds[1] = pipes->spare[pipes->spare_count][1];
    } else if (pipes->lent == HTTP_PIPES_MAX || pipe2(pipe->fds, O_NONBLOCK | O_CLOEXEC) != 0) {
        return false;
    } else {
        fcntl(pipe->fds[1], F_SETPIPE_SZ, ROOM);
    }
    pipes->lent++;
    pipe->lent = true;
    pipe->held = 0;
    return true;
}

void http_pipe_return(struct http_pipes *pipes, struct http_pipe *pipe)
{
    if (!pipe->lent) {
        return;
    }
    pipes->lent--;
    if (pipe->held > 0) {
        close(pipe->fds[0]);
        close(pipe->fds[1]);
    } else {
        pipes->spare[pipes->spare_count][0] = pipe->fds[0];
        pipes->spare[pipes->spare_count][1] = pipe->fds[1];
        pipes->spare_count++;
    }
    *pipe = (struct http_pipe){0};
}

static ssize_t move(int from, int to, size_t max)
{
    ssize_t n;

    do {
        n = splice(from, NULL, to, NULL, max, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    } while (n < 0 && errno == EINTR);
    return n;
}

ssize_t http_pipe_fill(struct http_pipe *pipe, int fd, size_t max)
{
    ssize_t n = move(fd, pipe->fds[1], max);

    pipe->held += n > 0 ? (size_t)n : 0;
    return n;
}

ssize_t http_pipe_drain(struct http_pipe *pipe, int fd)
{
    ssize_t n = move(pipe->fds[0], fd, pipe->held);

    pipe->held -= n > 0 ? (size_t)n : 0;
    return n;
}

void http_pipes_fini(struct http_pipes *pipes)
{
    while (pipes->spare_count > 0) {
        pipes->spare_count--;
        close(pipes->spare[pipes->spare_count][0]);
        close(pipes->spare[pipes->spare_count][1]);
    }
}
