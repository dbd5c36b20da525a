/*
 * Who has asked for a reload, and how it ended: what goes to lpmctl, by way of a bus.
 */
#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

#include "master/master_context.h"

/* The bus of `generation` asks for a reload, for the `number`th time. One that does not serve any more is not heard: it
 * has told its clients to ask its successor. */
void master_reload_ask(struct master_generation *generation, uint32_t number);

/* A reload begins: it is the answer to all that was asked for until now. */
void master_reload_begin(struct master *master);

/* It has brought `generation`, which is online. To be called before the others are retired. */
void master_reload_took(struct master_generation *generation);

/* It has not; `text` is the log's. */
void master_reload_failed(struct master *master, const struct error *text);

/* `generation`, which a reload had brought, has to go again: an answer to nobody, but for `lpmctl status`. */
void master_reload_undone(struct master_generation *generation, const struct error *text);

#endif
