/*
 * Descriptors. Runs in every process.
 */
#include "base/fd.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <lpm/module.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
    const int *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

void fd_keep_only(int *keep, size_t count)
{
    unsigned first = 3;

    if (count > 0) { /* qsort() must not see NULL */
        qsort(keep, count, sizeof(*keep), compare);
    }
    for (size_t i = 0; i < count; i++) {
        if (keep[i] < (int)first) {
            continue;
        }
        if ((unsigned)keep[i] > first) {
            close_range(first, (unsigned)keep[i] - 1, 0);
        }
        first = (unsigned)keep[i] + 1;
    }
    close_range(first, ~0u, 0);
}

/* Another process that has the socket too may have told the last close() to wait for the peer, whatever O_NONBLOCK says. */
static bool lingers(int fd)
{
    struct linger linger;
    socklen_t len = sizeof(linger);

    return getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && linger.l_onoff && linger.l_linger > 0;
}

void fd_close_open(int *fd)
{
    static const struct linger off = {0, 0};

    if (lingers(*fd)) {
        setsockopt(*fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
    }
    close(*fd);
    *fd = -1;
}

/* A thread's hold on a descriptor. */
struct hold {
    int fd;
    bool has_it;
    sem_t taken, closed;
};

/* Takes it into a table of descriptors of its own, and with nothing else in there it ends: who exits is never made to wait. */
static void *hold(void *arg)
{
    struct hold *h = arg;

    h->has_it = close_range((unsigned)h->fd + 1, ~0u, CLOSE_RANGE_UNSHARE) == 0;
    if (h->has_it && h->fd > 0) {
        close_range(0, (unsigned)h->fd - 1, 0);
    }
    sem_post(&h->taken);
    while (sem_wait(&h->closed) != 0) {
    }
    return NULL;
}

static int start(pthread_t *thread, struct hold *h)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the process's first thread's */
    rc = pthread_create(thread, NULL, hold, h);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

void fd_let_go_open(int *fd)
{
    struct hold h = {.fd = *fd};
    pthread_t thread;

    if (!lingers(*fd)) {
        close(*fd);
        *fd = -1;
        return;
    }
    sem_init(&h.taken, 0, 0);
    sem_init(&h.closed, 0, 0);
    if (start(&thread, &h) != 0) {
        fd_close(fd);
    } else {
        while (sem_wait(&h.taken) != 0) {
        }
        if (h.has_it) {
            close(*fd); /* not the last */
            *fd = -1;
        }
        fd_close(fd);
        sem_post(&h.closed);
        pthread_join(thread, NULL);
    }
    sem_destroy(&h.taken);
    sem_destroy(&h.closed);
}

int fd_reserve_standard(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
        if (fd < 0) {
            return LPM_EIO;
        }
    } while (fd <= 2);
    close(fd);
    return 0;
}
