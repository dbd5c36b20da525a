/*
 * New files for the logs: from the master to the bus and on to the workers, and back to whoever waits for it.
 */
#ifndef BUS_REOPEN_H
#define BUS_REOPEN_H

#include "bus/bus_worker.h"

struct bus_reopen_result {
    int code; /* 0; LPM_EIO: a log stayed with its old file; LPM_ETIMEDOUT: a worker has not got its new one */
    const char *why; /* with a code */
    unsigned logs;   /* that go on in new files */
};

void bus_reopen_init(struct bus *bus);
void bus_reopen_fini(struct bus *bus);

typedef void (*bus_reopen_fn)(const struct bus_reopen_result *result, void *arg);

/* Has the master open the logs; `on_done` is called once, when every process of lpm writes to the new files,
 * or after ten seconds, unless the bus ends before. 0 or LPM_ENOMEM. */
int bus_reopen_ask(struct bus *bus, bus_reopen_fn on_done, void *arg);

/* The master's LOG: takes `*fd`; its REOPENED and LOGS_ELSEWHERE. */
void bus_reopen_log(struct bus *bus, const struct control *message, int *fd);
void bus_reopen_done(struct bus *bus, const struct control *message);
void bus_reopen_elsewhere(struct bus *bus, const struct control *message);

/* Sends the worker the logs that it is to have, if it has them not and there is room now. */
void bus_reopen_send(struct bus_worker *w);

/* It has it. NULL, or why the worker has to go. */
const char *bus_reopen_taken(struct bus_worker *w, const struct frame *frame);

/* The end of a turn: tells the master when all is done here, and calls those whose wait is over. */
void bus_reopen_turn(struct bus *bus);

#endif
