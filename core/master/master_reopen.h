/*
 * New files for the logs, in every process.
 */
#ifndef MASTER_REOPEN_H
#define MASTER_REOPEN_H

#include "master/master_context.h"

/* Opens the error log and each access_log once more and hands the new files to every bus, which hands the error log on to
 * its workers. What cannot be opened stays as it is, and the log says why. `asker` hears with `number` that it is done;
 * NULL: nobody asked. */
void master_reopen(struct master *master, struct master_generation *asker, uint32_t number);

/* All processes of the generation write to the files of that reopening. */
void master_reopen_taken(struct master_generation *generation, uint64_t reopening);

/* A bus has gone, or done it: tells those who asked that the others have, too, if that is so. */
void master_reopen_look(struct master *master);

#endif
