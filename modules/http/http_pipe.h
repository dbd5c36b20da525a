/*
 * Pipes to splice through: the kernel moves the bytes of a stream, and nobody copies them to the bus and back. They are lent
 * out while bytes are in them, so that few serve many.
 */
#ifndef HTTP_PIPE_H
#define HTTP_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define HTTP_PIPES_MAX 64 /* lent out at a time, each of two descriptors */

struct http_pipes {
    int spare[HTTP_PIPES_MAX][2];
    size_t spare_count, lent;
};

/* All zero: none. */
struct http_pipe {
    int fds[2];
    bool lent;
    size_t held; /* bytes in it */
};

/* Is there a pipe now? false: no more to lend, or no descriptors; then the bytes have to be copied. */
bool http_pipe_lend(struct http_pipes *pipes, struct http_pipe *pipe);

/* Gives it back, with all that it holds. */
void http_pipe_return(struct http_pipes *pipes, struct http_pipe *pipe);

/* Moves up to `max` bytes of `fd` into it, or what it holds out to `fd`, without waiting: how many, 0 at the end of `fd`, or
 * -1 and errno (EINVAL: `fd` is of a kind that cannot be spliced). */
ssize_t http_pipe_fill(struct http_pipe *pipe, int fd, size_t max);
ssize_t http_pipe_drain(struct http_pipe *pipe, int fd);

void http_pipes_fini(struct http_pipes *pipes);

#endif
