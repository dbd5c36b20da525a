/*
 * The generations together: who serves, who comes next, who goes. Carries out the plan.
 */
#ifndef MASTER_FLEET_H
#define MASTER_FLEET_H

#include "master/master_context.h"

/* Begins the first one, of master->current. 0, or negative with the text. */
int master_fleet_start(struct master *master, struct error *err);

/* Does it serve? */
bool master_fleet_serves(const struct master_generation *generation);

/* Somebody wants a reload: it begins as soon as it may. */
void master_fleet_reload(struct master *master);

/* Another master serves: ours retire, and none is started until it is resumed. */
void master_fleet_withdraw(struct master *master);

/* Serves again, from the setup that was withdrawn. Nothing if none was. */
void master_fleet_resume(struct master *master);

/* All end, by that event. No generation is started any more. */
void master_fleet_stop(struct master *master, enum master_event kill);

/* `generation` is online: whoever served before is retired, and its own probation begins. */
void master_fleet_promote(struct master_generation *generation);

/* The probation of the one that serves is over: nothing to go back to is kept. */
void master_fleet_prove(struct master *master);

/* Something has changed that the plan depends on. */
void master_fleet_look(struct master *master);

/* `generation` has waited for its time, and begins. */
void master_fleet_restart(struct master_generation *generation);

/* `generation` could not start, for its reason; it may still have processes. */
void master_fleet_failed(struct master_generation *generation);

/* The one that serves, or NULL. */
struct master_generation *master_fleet_serving(const struct master *master);

/* Timers and the like; the loop is there. 0 or LPM_ENOMEM. */
int master_fleet_init(struct master *master);
void master_fleet_fini(struct master *master);

#endif
