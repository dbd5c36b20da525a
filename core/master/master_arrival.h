/*
 * Binary upgrade, as the new master does it.
 */
#ifndef MASTER_ARRIVAL_H
#define MASTER_ARRIVAL_H

#include <sys/types.h>

#include "conf/conf_tree.h"
#include "master/master.h"

struct master;

/* What an old master has given. */
struct master_arrival {
    int channel;            /* to the old master; -1: there is none */
    pid_t elder;            /* the old master */
    struct conf_tree *tree; /* its listeners; NULL: taken over */
};

/* Takes it out of the environment, where it is gone for everybody from then on. 0, also when there is nothing; negative with the
 * text when it makes no sense. */
int master_arrival_take(struct master_arrival *arrival, struct error *err);

/* Tells the old master, if it still listens, why this one will not serve. */
void master_arrival_fail(struct master_arrival *arrival, const char *why);

/* Closes what is left of it. */
void master_arrival_fini(struct master_arrival *arrival);

/* The master's part, all four without effect when lpm was started by people: takes the listeners over; begins to wait for the old
 * one's end (there is a loop now); says that this one serves; and, at its end, closes what was shared with an old one that has gone
 * by then. 0 or LPM_ENOMEM. */
int master_arrival_begin(struct master *master, struct error *err);
int master_arrival_watch(struct master *master, struct error *err);
void master_arrival_online(struct master *master);
void master_arrival_end(struct master *master);

#endif
