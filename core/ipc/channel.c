/*
 * The channel between bus and worker: its ends and the board. Runs in bus and worker (the pair is made in the master).
 * Whatever goes wrong, the descriptor that was given is closed and nothing leaks.
 */
#include "ipc/channel.h"

#include <errno.h>
#include <lpm/module.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "ipc/channel_receive.h"
#include "ipc/channel_send.h"
#include "ipc/frame.h"

_Static_assert(CHANNEL_MESSAGE_MAX >= FRAME_HEAD_SIZE + FRAME_HEADERS_MAX + FRAME_DATA_MAX, "a frame fits");
_Static_assert(CHANNEL_MESSAGE_MAX <= UINT32_MAX, "a length fits into a slot");

/* A bell may have been used up, or the kernel had no room for a descriptor: so often channel_wait() looks by itself. */
#define WAIT_MS 50

struct channel {
    bool is_bus;
    struct share_end end;
    struct channel_send send;
    struct channel_receive receive;
};

int channel_pair(int fds[2], struct error *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
        return error_set(err, LPM_EIO, "cannot make the channel between bus and worker: socketpair: %s",
                         strerror(errno));
    }
    return 0;
}

/* Takes `fd`; `timeout_ms` is the worker's. */
static int make(struct channel **ch, bool is_bus, int fd, int timeout_ms, struct error *err)
{
    struct channel *made = calloc(1, sizeof(*made));
    struct share_end end;
    int rc;

    share_init(&end, fd);
    if (made == NULL) {
        share_fini(&end);
        return error_set(err, LPM_ENOMEM, "out of memory for a channel");
    }
    rc = is_bus ? share_offer(&end, err) : share_accept(&end, timeout_ms, err);
    made->is_bus = is_bus;
    made->end = end;
    if (rc == 0 && channel_receive_init(&made->receive, &made->end, is_bus) < 0) {
        rc = error_set(err, LPM_ENOMEM, "out of memory for a channel");
    }
    if (rc < 0) {
        share_fini(&made->end);
        free(made);
        return rc;
    }
    channel_send_init(&made->send, &made->end);
    *ch = made;
    return 0;
}

int channel_new_bus(struct channel **ch, int fd, struct error *err)
{
    return make(ch, true, fd, 0, err);
}

int channel_new_worker(struct channel **ch, int fd, int timeout_ms, struct error *err)
{
    return make(ch, false, fd, timeout_ms, err);
}

void channel_free(struct channel *ch)
{
    channel_send_fini(&ch->send);
    channel_receive_fini(&ch->receive);
    share_fini(&ch->end);
    free(ch);
}

void channel_shut(struct channel *ch)
{
    atomic_store_explicit(&ch->end.mine->over, 1, memory_order_relaxed);
    shutdown(ch->end.socket, SHUT_RDWR);
}

int channel_fd(const struct channel *ch)
{
    return ch->end.socket;
}

int channel_bell(const struct channel *ch)
{
    return ch->end.bell;
}

void channel_look(struct channel *ch)
{
    channel_receive_look(&ch->receive);
}

/* Has the bus ended it? Only the worker believes what stands there. */
static bool is_shut(const struct channel *ch)
{
    return !ch->is_bus && atomic_load_explicit(&ch->end.theirs->over, memory_order_relaxed) != 0;
}

char *channel_reserve(struct channel *ch, size_t len, int *code)
{
    return channel_send_reserve(&ch->send, len, NULL, 0, code);
}

char *channel_reserve_with(struct channel *ch, size_t len, const int *fds, unsigned fd_count, int *code)
{
    return channel_send_reserve(&ch->send, len, fds, fd_count, code);
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
    return !ch->send.over && ch->send.ring.published != ch->send.ring.next;
}

int channel_flush(struct channel *ch)
{
    ch->send.over = ch->send.over || is_shut(ch);
    return channel_send_flush(&ch->send);
}

int channel_wait(struct channel *ch)
{
    struct pollfd waited[] = {{.fd = ch->end.bell, .events = POLLIN},
                              {.fd = ch->end.socket, .events = POLLIN}};
    struct epoll_event event;

    if (poll(waited, 2, WAIT_MS) > 0) {
        /* Or the next poll() would not wait. It told the loop's listener as well, but that looks only later: the caller
         * knows that he has to. */
        epoll_wait(ch->end.bell, &event, 1, 0);
        if (waited[1].revents != 0) {
            channel_look(ch);
        }
    }
    return ch->receive.ended || ch->receive.over != 0 || is_shut(ch) ? LPM_EIO : 0;
}

int channel_next(struct channel *ch, struct channel_message *message, const char **why)
{
    if (ch->send.why != NULL) {
        *why = ch->send.why;
        return LPM_EPROTO;
    }
    return channel_receive_next(&ch->receive, message, why);
}

void channel_release(struct channel *ch, struct channel_message *message)
{
    channel_receive_release(&ch->receive, message);
}

bool channel_waiting(struct channel *ch)
{
    return channel_receive_waiting(&ch->receive);
}

bool channel_sweep(struct channel *ch)
{
    channel_send_sweep(&ch->send);
    return channel_receive_sweep(&ch->receive);
}

void channel_show_started(struct channel *ch, uint32_t seq)
{
    atomic_store_explicit(&ch->end.mine->started, seq, memory_order_release);
}

void channel_show_running(struct channel *ch, uint32_t seq)
{
    atomic_store_explicit(&ch->end.mine->running, seq, memory_order_release);
}

void channel_show_call(struct channel *ch, uint64_t until)
{
    atomic_store_explicit(&ch->end.mine->call_until, until, memory_order_relaxed);
    channel_show_running(ch, CHANNEL_CALL);
}

void channel_show_called(struct channel *ch)
{
    uint64_t calls = atomic_load_explicit(&ch->end.mine->call_count, memory_order_relaxed);

    channel_show_running(ch, 0);
    atomic_store_explicit(&ch->end.mine->call_count, calls + 1, memory_order_relaxed);
}

bool channel_wanted(const struct channel *ch)
{
    /* With the fence of channel_want(): either this sees that it is wanted, or the bus sees what was shown before. */
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&ch->end.theirs->wanted, memory_order_relaxed) != 0;
}

void channel_want(struct channel *ch, bool wanted)
{
    atomic_store_explicit(&ch->end.mine->wanted, wanted, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
}

uint32_t channel_started(const struct channel *ch)
{
    return atomic_load_explicit(&ch->end.theirs->started, memory_order_acquire);
}

uint32_t channel_running(const struct channel *ch)
{
    return atomic_load_explicit(&ch->end.theirs->running, memory_order_acquire);
}

uint64_t channel_calls(const struct channel *ch)
{
    return atomic_load_explicit(&ch->end.theirs->call_count, memory_order_relaxed);
}

uint64_t channel_call_until(const struct channel *ch)
{
    return channel_running(ch) == CHANNEL_CALL
               ? atomic_load_explicit(&ch->end.theirs->call_until, memory_order_relaxed)
               : 0;
}
