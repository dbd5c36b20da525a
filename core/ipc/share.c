/*
 * The memory of a channel. Runs in bus and worker. Whatever goes wrong, share_fini() leaves nothing.
 *
 * The worker cannot write to the bus's memory whatever it does: its seal refuses a mapping for it, and write() too. It
 * cannot take its own away: that is sealed against shrinking. The bus's mapping of it is for reading only.
 */
#include "ipc/share.h"

#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ipc/bell.h"
#include "ipc/memfd.h"
#include "ipc/rights.h"

#define MAGIC        0x534d504cu
#define VERSION      2u
#define WORKER_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)
#define BUS_SEALS    (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)

_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "words are shared between processes");
_Static_assert(sizeof(struct share) % 4096 == 0, "whole pages");

/* What the bus sends, one message each. */
enum part { PART_BUS_MEMORY, PART_WORKER_MEMORY, PART_BUS_BELL, PART_WORKER_LISTENER, PARTS };

struct offer {
    uint32_t magic, version, part;
};

void share_init(struct share_end *end, int socket)
{
    *end = (struct share_end){.socket = socket, .bell = -1, .their = -1};
}

void share_fini(struct share_end *end)
{
    if (end->mine != NULL) {
        munmap(end->mine, sizeof(*end->mine));
    }
    if (end->theirs != NULL) {
        munmap((void *)(uintptr_t)end->theirs, sizeof(*end->theirs));
    }
    fd_close(&end->bell);
    fd_close(&end->their);
    fd_close(&end->socket);
}

static struct share *map(int fd, int protection)
{
    void *mapping = mmap(NULL, sizeof(struct share), protection, MAP_SHARED, fd, 0);
    return mapping == MAP_FAILED ? NULL : mapping;
}

/* Makes one memory, its indexes where they begin: the descriptor, or -1 with errno. */
static int make(const char *name, int seals, struct share **mapped)
{
    int fd = memfd_make(name, sizeof(struct share));

    *mapped = fd < 0 ? NULL : map(fd, PROT_READ | PROT_WRITE);
    if (*mapped == NULL || memfd_seal(fd, seals | F_SEAL_SEAL) < 0) {
        int error = errno;
        fd_close(&fd);
        errno = error;
        return -1;
    }
    (*mapped)->shown = (*mapped)->taken = (*mapped)->asleep_at = SHARE_FIRST;
    (*mapped)->returns.count = (*mapped)->store_returns.count = SHARE_FIRST;
    return fd;
}

static int offer(int socket, enum part part, int fd)
{
    struct offer text = {MAGIC, VERSION, part};
    struct iovec bytes = {&text, sizeof(text)};
    struct msghdr head = {.msg_iov = &bytes, .msg_iovlen = 1};
    struct rights_room room;
    ssize_t n;

    rights_attach(&head, &room, fd);
    do {
        n = sendmsg(socket, &head, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -1 : 0;
}

static int make_all(struct share_end *end, int fds[PARTS])
{
    struct share *theirs;

    fds[PART_BUS_MEMORY] = make("lpm-bus", BUS_SEALS, &end->mine);
    fds[PART_WORKER_MEMORY] = make("lpm-worker", WORKER_SEALS, &theirs);
    end->theirs = theirs;
    end->bell = bell_new();
    end->their = bell_new();
    fds[PART_BUS_BELL] = end->bell;
    fds[PART_WORKER_LISTENER] = end->their < 0 ? -1 : bell_listener(end->their);
    for (int i = 0; i < PARTS; i++) {
        if (fds[i] < 0) {
            return -1;
        }
    }
    return mprotect(theirs, sizeof(*theirs), PROT_READ);
}

int share_offer(struct share_end *end, struct error *err)
{
    int fds[PARTS] = {-1, -1, -1, -1}, rc = 0;

    if (make_all(end, fds) < 0) {
        rc = error_set(err, LPM_EIO, "cannot make the memory that a worker shares: %s", strerror(errno));
    }
    for (int i = 0; i < PARTS && rc == 0; i++) {
        if (offer(end->socket, (enum part)i, fds[i]) < 0) {
            rc = error_set(err, LPM_EIO, "cannot give a worker the memory that it shares: %s",
                           strerror(errno));
        }
    }
    fd_close(&fds[PART_BUS_MEMORY]);
    fd_close(&fds[PART_WORKER_MEMORY]);
    fd_close(&fds[PART_WORKER_LISTENER]);
    return rc;
}

/* Waits until `fd` is readable, interrupted or not, or the clock shows `end` (0: for ever): 0, LPM_ETIMEDOUT, LPM_EIO. */
static int wait_readable(int fd, uint64_t end)
{
    struct pollfd waited = {.fd = fd, .events = POLLIN};

    for (;;) {
        uint64_t now = clock_now();
        int left = now < end ? (int)((end - now + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS) : 0;
        int n = poll(&waited, 1, end == 0 ? -1 : left);
        if (n != 0) {
            if (n > 0 || errno != EINTR) {
                return n > 0 ? 0 : LPM_EIO;
            }
        } else {
            return LPM_ETIMEDOUT;
        }
    }
}

/* The descriptor of the part that has to be next, in `*fd`; -1 on failure. */
static int receive(int socket, enum part part, int *fd, struct error *err)
{
    struct offer text = {0, 0, PARTS};
    struct iovec bytes = {&text, sizeof(text)};
    struct rights_room room;
    struct msghdr head = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof(room)};
    ssize_t n;

    *fd = -1;
    do {
        n = recvmsg(socket, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return error_set(err, LPM_EIO, "no memory to share from the bus: %s",
                         n < 0 ? strerror(errno) : "it is gone");
    }
    if (rights_take(&head, fd) < 0 || *fd < 0 || n != (ssize_t)sizeof(text) ||
        (head.msg_flags & MSG_TRUNC) != 0 || text.magic != MAGIC || text.version != VERSION ||
        text.part != part) {
        fd_close(fd);
        return error_set(err, LPM_EPROTO, "the bus's message %d is no part %d of a channel of version %u",
                         part + 1, part + 1, VERSION);
    }
    return 0;
}

/* Maps what came as `part`. */
static int take_memory(struct share_end *end, enum part part, int fd, struct error *err)
{
    bool mine = part == PART_WORKER_MEMORY;
    const char *wrong = memfd_check(fd, sizeof(struct share), mine ? WORKER_SEALS : BUS_SEALS);
    struct share *mapped;

    if (wrong != NULL) {
        return error_set(err, LPM_EPROTO, "the memory to share that came from the bus is %s", wrong);
    }
    mapped = map(fd, mine ? PROT_READ | PROT_WRITE : PROT_READ);
    if (mapped == NULL) {
        return error_set(err, LPM_ENOMEM, "cannot map the memory that the bus shares: %s", strerror(errno));
    }
    if (mine) {
        end->mine = mapped;
    } else {
        end->theirs = mapped;
    }
    return 0;
}

/* Takes `fd`. */
static int take(struct share_end *end, enum part part, int fd, struct error *err)
{
    int rc = 0;

    if (part == PART_BUS_BELL) {
        end->their = fd;
    } else if (part == PART_WORKER_LISTENER) {
        end->bell = fd;
    } else {
        rc = take_memory(end, part, fd, err);
        fd_close(&fd);
    }
    return rc;
}

int share_accept(struct share_end *end, int timeout_ms, struct error *err)
{
    uint64_t until = timeout_ms < 0 ? 0 : clock_now() + (uint64_t)timeout_ms * CLOCK_NS_PER_MS;

    for (int part = 0; part < PARTS; part++) {
        int fd, rc = wait_readable(end->socket, until);
        if (rc == LPM_ETIMEDOUT) {
            return error_set(err, rc, "no memory to share from the bus within %d ms", timeout_ms);
        }
        if (rc < 0) {
            return error_set(err, rc, "cannot wait for the bus: poll: %s", strerror(errno));
        }
        rc = receive(end->socket, (enum part)part, &fd, err);
        if (rc == 0) {
            rc = take(end, (enum part)part, fd, err);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}
