/*
 * What master and bus say to each other: small messages of one fixed form over a SOCK_SEQPACKET socketpair, some with
 * one descriptor. Blocking is no danger: the master's side is non-blocking, and a bus that does not read is killed.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum control_type {
    /* master to bus */
    CONTROL_WORKER_NEW = 1, /* a worker was forked; carries the bus's end of its channel */
    CONTROL_WORKER_GONE,    /* it was reaped; `status` as of waitpid() */
    CONTROL_POOL_DEGRADED,  /* no restart before `until` (ns, CLOCK_MONOTONIC; 0: no longer degraded) */
    CONTROL_SUCCESSOR,   /* another bus is about to serve; carries the way to hand connections over to it */
    CONTROL_PREDECESSOR, /* carries the way by which another bus hands over its own */
    CONTROL_RETIRE,      /* another bus serves: as SOFT_KILL, and take no commands any more */
    CONTROL_SOFT_KILL,   /* answer what there is, send the workers home, exit */
    CONTROL_HARD_KILL,   /* run the hooks, exit */
    CONTROL_SIGNAL,      /* the signal `status` came, which the bus had asked for */
    CONTROL_RELOADED, /* what the last reload came to, and each ASK_RELOAD up to the number `index`: `status` 0,
                       * generation `incarnation` serves; LPM_ECONF, why not is in the descriptor, if there is one */
    CONTROL_LOG, /* goes on in a new file, which it carries: `index` 0, the error log; else the log of the node of
                          * that number in the tree, the root being 0. `status` -1: it could not be opened, the old one
                          * stays; then there is no descriptor */
    CONTROL_REOPENED, /* that was all of them; `status`: how many; `index`: that of the ASK_REOPEN, 0: nobody's; `until`: the
                       * how manieth time it was, for LOGS_TAKEN; `pool` 1: LOGS_ELSEWHERE follows */
    CONTROL_LOGS_ELSEWHERE, /* other generations write to the new files, too: for each ASK_REOPEN up to the number `index` */
    /* bus to master */
    CONTROL_WORKER_READY,  /* said ready for the first time */
    CONTROL_ONLINE,        /* every worker is ready, and the supervisor_online hooks have run */
    CONTROL_WORKER_KILL,   /* SIGKILL it: it broke the protocol, hangs, or closed its channel */
    CONTROL_WORKER_ABORT,  /* it hangs: SIGABRT, for a report of where, and SIGKILL a second later */
    CONTROL_WORKER_SHOW,   /* its handler is slow: have it show its stack */
    CONTROL_WORKER_RETIRE, /* it was told to exit: replace it, at no cost to the restart limit */
    CONTROL_WORKER_REMOVE, /* its place is given up: whoever is there was told to exit, and nobody comes after him */
    CONTROL_RESIZE, /* fork a worker for place `index`: the pool's next one, or one that was given up */
    CONTROL_SIGNAL_WANTED, /* `status` SIGINT, `index` 1: tell of it instead of acting on it; 0: act again */
    CONTROL_ASK_SOFT_KILL, /* a module asks for it */
    CONTROL_ASK_HARD_KILL,
    CONTROL_ASK_RELOAD, /* `index`: its number, from 1 on */
    CONTROL_ASK_REOPEN, /* the logs; `index` comes back, and is not 0 */
    CONTROL_LOGS_TAKEN, /* it and its workers write to the files of the REOPENED with that `until` */
    CONTROL_RELEASED,   /* soft kill: all is answered; from now on workers exit for good */
    CONTROL_TYPE_END
};

struct control {
    uint32_t type;
    uint32_t pool, index; /* which worker, or which pool */
    uint32_t incarnation; /* of the worker, so that no message meets its successor */
    int32_t pid;
    int32_t status;
    uint64_t until;
};

/* Makes the two ends, non-blocking, close-on-exec; fds[0] is the master's. 0 or LPM_EIO. */
int control_pair(int fds[2], struct error *err);

/* Sends `message`, with `fd` if that is not -1 (it stays the caller's). 0; LPM_EAGAIN (full); LPM_EIO (gone). */
int control_send(int channel, const struct control *message, int fd);

/* 1 with a message (and `*fd`, the caller's from then on, or -1); 0: none now; LPM_EIO: the peer is gone;
 * LPM_EPROTO: no message of this form, or a descriptor where none belongs. */
int control_receive(int channel, struct control *message, int *fd);

/* Was one to come with it, which is lost because this process had no descriptor left? */
bool control_has_lost(const struct control *message, int fd);

#endif
