/*
 * What a module may ask of the supervisor: soft and hard kill, and another number of workers.
 */
#ifndef BUS_RULE_H
#define BUS_RULE_H

#include "bus/bus_worker.h"

/* The most workers of a pool. */
#define BUS_RULE_PLACES_MAX 1024u

/* The end of a turn: is a resize done? */
void bus_rule_check(struct bus_pool *pool);

/* A worker of the pool died before it was ever ready. */
void bus_rule_start_failed(struct bus_pool *pool);

/* The last worker is gone: tells whoever waits for the end of the soft kill. */
void bus_rule_soft_killed(struct bus *bus);

/* The master had SIGTTIN or SIGTTOU: one worker more, or one less, in the default pool. */
void bus_rule_step(struct bus *bus, int by);

void bus_rule_fini(struct bus *bus);

/* lpm_supervisor_soft_kill(), _hard_kill(), _resize() in the host table. */
void bus_rule_host_init(lpm_host *host);

#endif
