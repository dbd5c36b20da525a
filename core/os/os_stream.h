/*
 * Streams: one-way pairs of descriptors that tell a clean end from an abort.
 */
#ifndef OS_STREAM_H
#define OS_STREAM_H

/*
 * A unix socket pair, used one way: fds[0] to read from, fds[1] to write to; non-blocking, close-on-exec. The reader's end
 * has sent one byte the other way. A writer that ends cleanly takes it (os_stream_end); when the writer's end is closed with
 * the byte unread, by close() or by the death of its last process, the kernel gives the reader ECONNRESET, after all data
 * (unix(7) says nothing of it; it has been so since Linux 2.6). 0 or LPM_EIO.
 */
int os_stream_pair(int fds[2]);

/* The clean end: closes `fd`, and the reader reads 0 after all data. LPM_EIO: it was no writer's end of a stream, or the
 * reader is gone already; closed all the same. */
int os_stream_end(int fd);

/* May the bus read from it without being blocked by whoever gave it? A socket or a pipe, set to non-blocking: 0. Any
 * other kind of file: LPM_EINVAL. */
int os_stream_check(int fd);

/*
 * The same for what came from another process, which can undo it, since both share what is behind the descriptor. So a
 * pipe is replaced by an own opening of it. A socket cannot be: who reads it says MSG_DONTWAIT each time, or
 * SPLICE_F_NONBLOCK, which a unix stream honours, but TCP does not. On failure `*fd` is what it was.
 */
int os_stream_admit(int *fd);

#endif
