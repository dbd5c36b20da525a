/*
 * The channel between bus and worker: its ends and the board. Runs in bus and worker (the pair is made in the master).
 * Whatever goes wrong, the descriptor that was given is closed and nothing leaks.
 */
#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lpm/module.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ipc/channel_receive.h"
#include "ipc/channel_send.h"
#include "ipc/frame.h"
#include "ipc/memfd.h"
#include "ipc/rights.h"

_Static_assert(CHANNEL_MESSAGE_MAX >= FRAME_HEAD_SIZE + FRAME_HEADERS_MAX + FRAME_DATA_MAX, "a frame fits");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "the board is shared between processes");

#define SEND_BUFFER   (512 * 1024)
#define BOARD_PAGE    4096u
#define BOARD_SIZE    (2 * BOARD_PAGE)
#define BOARD_SEALS   (F_SEAL_SHRINK | F_SEAL_GROW)
#define BOARD_MAGIC   0x424d504cu
#define BOARD_VERSION 3u

/* Each field on a line of its own, and its neighbour that the processor may fetch with it. The worker writes the first
 * page, which the bus's mapping can only read; the bus writes the second, and never believes what it finds there. */
struct board {
    _Alignas(128) _Atomic uint32_t started;
    _Alignas(128) _Atomic uint32_t running;
    _Alignas(128) _Atomic uint64_t call_until, calls;
    _Alignas(BOARD_PAGE) _Atomic uint32_t wanted;
};

_Static_assert(sizeof(struct board) == BOARD_SIZE, "each side has its page");

/* The bus's first message, with the board. */
struct greeting {
    uint32_t magic;
    uint32_t version;
};

struct channel {
    int fd;
    struct board *board;
    struct channel_send send;
    struct channel_receive receive;
};

int channel_pair(int fds[2], struct error *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
        return error_set(err, LPM_EIO, "cannot make the channel between bus and worker: socketpair: %s",
                         strerror(errno));
    }
    /* Only for speed: how much fits before the sender has to wait. */
    for (int i = 0; i < 2; i++) {
        int size = SEND_BUFFER;
        if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0) {
            setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        }
    }
    return 0;
}

/* Takes `fd`. */
static int make(struct channel **ch, int fd, struct error *err)
{
    struct channel *made = calloc(1, sizeof(*made));

    if (made == NULL) {
        fd_close(&fd);
        return error_set(err, LPM_ENOMEM, "out of memory for a channel");
    }
    made->fd = fd;
    channel_receive_init(&made->receive);
    if (channel_send_init(&made->send) < 0) {
        channel_free(made);
        return error_set(err, LPM_ENOMEM, "out of memory for a channel");
    }
    *ch = made;
    return 0;
}

static int map_board(struct channel *ch, int fd, int protection)
{
    void *mapping = mmap(NULL, BOARD_SIZE, protection, MAP_SHARED, fd, 0);
    if (mapping == MAP_FAILED) {
        return -1;
    }
    ch->board = mapping;
    return 0;
}

static int send_board(const struct channel *ch, int board)
{
    struct greeting greeting = {BOARD_MAGIC, BOARD_VERSION};
    struct iovec part = {&greeting, sizeof(greeting)};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    struct rights_room room;
    ssize_t n;

    rights_attach(&head, &room, board);
    do {
        n = sendmsg(ch->fd, &head, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -1 : 0;
}

int channel_new_bus(struct channel **ch, int fd, struct error *err)
{
    struct channel *made;
    int board;
    int rc = make(&made, fd, err);

    if (rc < 0) {
        return rc;
    }
    board = memfd_make("lpm-board", BOARD_SIZE);
    if (board < 0 || map_board(made, board, PROT_READ | PROT_WRITE) < 0 ||
        mprotect(made->board, BOARD_PAGE, PROT_READ) < 0) {
        rc = error_set(err, LPM_EIO, "cannot make a worker's board: %s", strerror(errno));
        goto done;
    }
    if (memfd_seal(board, BOARD_SEALS | F_SEAL_SEAL) < 0 || send_board(made, board) < 0) {
        rc = error_set(err, LPM_EIO, "cannot give a worker its board: %s", strerror(errno));
    }
done:
    fd_close(&board);
    if (rc < 0) {
        channel_free(made);
    } else {
        *ch = made;
    }
    return rc;
}

/* Waits until `fd` is readable, interrupted or not: 0, LPM_ETIMEDOUT, LPM_EIO. */
static int wait_readable(int fd, int timeout_ms)
{
    uint64_t end = clock_now() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms) * CLOCK_NS_PER_MS;
    struct pollfd waited = {.fd = fd, .events = POLLIN};

    for (;;) {
        uint64_t now = clock_now();
        int left = now < end ? (int)((end - now + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS) : 0;
        int n = poll(&waited, 1, timeout_ms < 0 ? -1 : left);
        if (n != 0) {
            if (n > 0 || errno != EINTR) {
                return n > 0 ? 0 : LPM_EIO;
            }
        } else {
            return LPM_ETIMEDOUT;
        }
    }
}

/* The board's descriptor in `*board`, -1 on failure. */
static int receive_board(int fd, int *board, struct error *err)
{
    struct greeting greeting = {0, 0};
    struct iovec part = {&greeting, sizeof(greeting)};
    struct rights_room room;
    struct msghdr head = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof(room)};
    ssize_t n;

    *board = -1;
    do {
        n = recvmsg(fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return error_set(err, LPM_EIO, "no board from the bus: %s", n < 0 ? strerror(errno) : "it is gone");
    }
    if (rights_take(&head, board) < 0 || n != (ssize_t)sizeof(greeting) ||
        (head.msg_flags & MSG_TRUNC) != 0 || greeting.magic != BOARD_MAGIC ||
        greeting.version != BOARD_VERSION) {
        return error_set(err, LPM_EPROTO, "the bus's first message is no board of version %u", BOARD_VERSION);
    }
    return 0;
}

/* The worker's part after the bus's end became readable. */
static int take_board(struct channel *ch, struct error *err)
{
    const char *wrong;
    int board;
    int rc = receive_board(ch->fd, &board, err);

    if (rc == 0) {
        wrong = board < 0 ? "no descriptor" : memfd_check(board, BOARD_SIZE, BOARD_SEALS);
        if (wrong != NULL) {
            rc = error_set(err, LPM_EPROTO, "the bus's board is %s", wrong);
        } else if (map_board(ch, board, PROT_READ | PROT_WRITE) < 0) {
            rc = error_set(err, LPM_ENOMEM, "cannot map the bus's board: %s", strerror(errno));
        }
    }
    fd_close(&board);
    return rc;
}

int channel_new_worker(struct channel **ch, int fd, int timeout_ms, struct error *err)
{
    struct channel *made;
    int rc = make(&made, fd, err);

    if (rc < 0) {
        return rc;
    }
    rc = wait_readable(fd, timeout_ms);
    if (rc == LPM_ETIMEDOUT) {
        error_set(err, rc, "no board from the bus within %d ms", timeout_ms);
    } else if (rc < 0) {
        error_set(err, rc, "cannot wait for the bus's board: poll: %s", strerror(errno));
    } else {
        rc = take_board(made, err);
    }
    if (rc < 0) {
        channel_free(made);
    } else {
        *ch = made;
    }
    return rc;
}

void channel_free(struct channel *ch)
{
    channel_send_fini(&ch->send);
    channel_receive_fini(&ch->receive);
    if (ch->board != NULL) {
        munmap(ch->board, BOARD_SIZE);
    }
    fd_close(&ch->fd);
    free(ch);
}

void channel_shut(struct channel *ch)
{
    shutdown(ch->fd, SHUT_RDWR);
}

int channel_fd(const struct channel *ch)
{
    return ch->fd;
}

char *channel_reserve(struct channel *ch, size_t len, int *code)
{
    return channel_send_reserve(&ch->send, ch->fd, len, NULL, 0, code);
}

char *channel_reserve_with(struct channel *ch, size_t len, const int *fds, unsigned fd_count, int *code)
{
    return channel_send_reserve(&ch->send, ch->fd, len, fds, fd_count, code);
}

void channel_commit(struct channel *ch)
{
    channel_send_commit(&ch->send);
}

void channel_drop(struct channel *ch)
{
    channel_send_drop(&ch->send);
}

bool channel_pending(const struct channel *ch)
{
    return !ch->send.over && ch->send.sent < ch->send.count;
}

int channel_flush(struct channel *ch)
{
    return channel_send_flush(&ch->send, ch->fd);
}

int channel_next(struct channel *ch, struct channel_message *message, const char **why)
{
    return channel_receive_next(&ch->receive, ch->fd, message, why);
}

void channel_release(struct channel *ch, struct channel_message *message)
{
    channel_receive_release(&ch->receive, message);
}

bool channel_waiting(const struct channel *ch)
{
    return ch->receive.over == 0 && ch->receive.at < ch->receive.count;
}

void channel_show_started(struct channel *ch, uint32_t seq)
{
    atomic_store_explicit(&ch->board->started, seq, memory_order_release);
}

void channel_show_running(struct channel *ch, uint32_t seq)
{
    atomic_store_explicit(&ch->board->running, seq, memory_order_release);
}

void channel_show_call(struct channel *ch, uint64_t until)
{
    atomic_store_explicit(&ch->board->call_until, until, memory_order_relaxed);
    channel_show_running(ch, CHANNEL_CALL);
}

void channel_show_called(struct channel *ch)
{
    uint64_t calls = atomic_load_explicit(&ch->board->calls, memory_order_relaxed);

    channel_show_running(ch, 0);
    atomic_store_explicit(&ch->board->calls, calls + 1, memory_order_relaxed);
}

bool channel_wanted(const struct channel *ch)
{
    /* With the fence of channel_want(): either this sees that it is wanted, or the bus sees what was shown before. */
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&ch->board->wanted, memory_order_relaxed) != 0;
}

void channel_want(struct channel *ch, bool wanted)
{
    atomic_store_explicit(&ch->board->wanted, wanted, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
}

uint32_t channel_started(const struct channel *ch)
{
    return atomic_load_explicit(&ch->board->started, memory_order_acquire);
}

uint32_t channel_running(const struct channel *ch)
{
    return atomic_load_explicit(&ch->board->running, memory_order_acquire);
}

uint64_t channel_calls(const struct channel *ch)
{
    return atomic_load_explicit(&ch->board->calls, memory_order_relaxed);
}

uint64_t channel_call_until(const struct channel *ch)
{
    return channel_running(ch) == CHANNEL_CALL
               ? atomic_load_explicit(&ch->board->call_until, memory_order_relaxed)
               : 0;
}
