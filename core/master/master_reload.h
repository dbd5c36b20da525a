/*
 * A reload: who has asked for it, its beginning, and what it came to, which goes to the log and, by way of a bus, to lpmctl.
 */
#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

#include "master/master_context.h"

/* The bus of `generation` asks for a reload, for the `number`th time. One that does not serve any more is not heard: it
 * has told its clients to ask its successor. */
void master_reload_ask(struct master_generation *generation, uint32_t number);

/* Begins a generation of what the configuration says now: the answer to all that was asked for until now. It may fail at
 * once. */
void master_reload_begin(struct master *master);

/* It has brought `generation`, which is online. To be called before the others are retired. */
void master_reload_took(struct master_generation *generation);

/* It has not. */
void master_reload_failed(struct master *master, const struct error *why);

/* `generation`, which a reload had brought, has failed its probation: an answer to nobody, but for `lpmctl status`. */
void master_reload_undone(struct master_generation *generation, const char *why);

#endif
