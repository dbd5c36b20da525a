/*
 * New files for the logs, in every process.
 */
#ifndef MASTER_REOPEN_H
#define MASTER_REOPEN_H

#include "master/master_context.h"

/* Opens the error log and each access_log once more and hands the new files to every bus, which hands the error log on to
 * its workers. What cannot be opened stays as it is, and the log says why. `asker` hears with `number` that it is done;
 * NULL: nobody asked. */
void master_reopen(struct master *master, const struct master_generation *asker, uint32_t number);

#endif
