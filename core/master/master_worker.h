/*
 * The workers of a generation, from the fork to the reaping.
 */
#ifndef MASTER_WORKER_H
#define MASTER_WORKER_H

#include "master/master_context.h"

/* From one fork, or try of it, for a place to the next. */
#define MASTER_WORKER_PAUSE_NS UINT64_C(100000000)

/* So long one that hangs has for its last words. The bus counts on it. */
#define MASTER_WORKER_ABORT_NS UINT64_C(1000000000)

/* Visits every place of a generation, the empty ones too. */
#define MASTER_EACH_WORKER(worker, generation)                                           \
    for (struct master_pool *pool_ = (generation)->pools;                                \
         pool_ && pool_ < (generation)->pools + (generation)->core->pool_count; pool_++) \
        for (struct master_worker *worker = pool_->workers;                              \
             worker && worker < pool_->workers + pool_->places; worker++)

/* An empty place. 0 or LPM_ENOMEM. */
int master_worker_init(struct master_worker *worker, struct master_pool *pool, size_t index);
void master_worker_fini(struct master_worker *worker);

/* Forks it, gives the bus the other end of its channel, starts its ready_timeout. 0, or negative with the text. */
int master_worker_start(struct master_worker *worker, struct error *err);

/* Forks every worker of a generation whose bus runs. 0, or negative with the text; some may run then. */
int master_worker_start_all(struct master_generation *generation, struct error *err);

/* The one with that pid, or NULL. */
struct master_worker *master_worker_find(const struct master_generation *generation, pid_t pid);

/* It was reaped: says so in the log and to the bus, and raises MASTER_ON_WORKER_DIED. */
void master_worker_reaped(struct master_worker *worker, int status);

/* The bus says so. */
void master_worker_ready(struct master_worker *worker);
void master_worker_kill(struct master_worker *worker);

/* It hangs: it is to die with a report of where, soon, or is killed. */
void master_worker_abort(struct master_worker *worker);

/* The bus has sent it home, or will: it has drain_timeout to end, and is replaced at no cost. It runs. */
void master_worker_retire(struct master_worker *worker);

/* SIGKILL for each that runs. */
void master_worker_kill_all(struct master_generation *generation);

/* How many run; how many of them are not ready yet. */
size_t master_worker_running(const struct master_generation *generation);
size_t master_worker_unready(const struct master_generation *generation);

/* "worker default/0 (pid 12)" */
#define MASTER_WORKER_NAME_SIZE 160
const char *master_worker_name(const struct master_worker *worker, char room[MASTER_WORKER_NAME_SIZE]);

#endif
