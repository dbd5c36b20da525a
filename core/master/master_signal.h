/*
 * Signals, as events of the master's loop.
 */
#ifndef MASTER_SIGNAL_H
#define MASTER_SIGNAL_H

#include "master/master_context.h"

/* Blocks all signals but those of a fault, ignores SIGPIPE. First thing, so that none ends lpm half way. */
void master_signal_block(void);

/* Listens: `on_signal(master, number)` for each but SIGCHLD, for which `on_reaped(master, pid, status)` is called with
 * each child, known or not. `owns` says whether it is ours: the rest of its process group goes with it.
 * 0, LPM_EIO or LPM_ENOMEM. */
struct master_signal_calls {
    void (*on_signal)(struct master *master, int number);
    bool (*owns)(const struct master *master, pid_t pid);
    void (*on_reaped)(struct master *master, pid_t pid, int status);
};
int master_signal_open(struct master *master, const struct master_signal_calls *calls, struct error *err);
void master_signal_close(struct master *master);

#endif
