/*
 * What a module may ask of the supervisor: soft and hard kill, and another number of workers.
 */
#ifndef BUS_RULE_H
#define BUS_RULE_H

#include "bus/bus_worker.h"

void bus_rule_init(struct bus *bus);
void bus_rule_fini(struct bus *bus);

/* The end of a turn: begins and ends what was asked for, and calls those who wait for it. */
void bus_rule_turn(struct bus *bus);

/* Is there a place for one worker more than it is to have, for a time? And takes it: the place, whose worker the master is
 * asked for, or LPM_EFULL, LPM_ENOMEM. It is given up by BUS_LEAVE_ON_REMOVE. */
bool bus_rule_has_place(const struct bus_pool *pool);
int bus_rule_add_place(struct bus_pool *pool);

/* A worker of the pool died before it was ever ready. */
void bus_rule_start_failed(struct bus_pool *pool);

/* Soft kill begins: nothing is resized any more. */
void bus_rule_soft_kill(struct bus *bus);

/* The last worker is gone: tells whoever waits for the end of the soft kill. */
void bus_rule_soft_killed(struct bus *bus);

/* The end comes at once: whoever waits for something hears that it will not be. */
void bus_rule_hard_kill(struct bus *bus);

/* The pool has another number of workers at the end of this turn; `why`, for the log, is valid until then. */
void bus_rule_scale(struct bus_pool *pool, unsigned count, const char *why);

/* The master had SIGTTIN or SIGTTOU: one worker more, or one less, in the default pool. */
void bus_rule_step(struct bus *bus, int by);

/* lpm_supervisor_soft_kill(), _hard_kill(), _resize() in the host table. */
void bus_rule_host_init(lpm_host *host);

#endif
