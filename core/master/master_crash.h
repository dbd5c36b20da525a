/*
 * What dying processes leave behind, and slow ones show: the pages, and the children that make lines in the log of them. The master
 * looks at no byte of a page but whether there is something.
 */
#ifndef MASTER_CRASH_H
#define MASTER_CRASH_H

#include "master/master_context.h"

/* A page for a process about to be forked, instead of the one that was there. NULL: no memory; there will be no reports. */
void master_crash_page(struct role_crash_page **page);
void master_crash_page_free(struct role_crash_page **page);

/* Forks as master_spawn() does, a child that shares start->crash and start->quarantine, if it has them. */
pid_t master_crash_spawn(role_main entry, struct role_start *start, struct error *err);

/* `who` has died, `status` as of waitpid(): if that was of a signal, and `page` says anything, a child tells it. */
void master_crash_died(struct master_generation *generation, const char *who, int status,
                       const struct role_crash_page *page, enum role_crash_kind kind);

/* Has the worker show its stack, and a child tell it. */
void master_crash_show(struct master_worker *worker);

/* Is it one of those children? It has ended: if not well, another one tells the same without names. */
bool master_crash_owns(const struct master *master, pid_t pid);
bool master_crash_reaped(struct master *master, pid_t pid, int status);

/* Waits for those that still write, some seconds at most: lpm ends. */
void master_crash_fini(struct master *master);

#endif
