/*
 * The core's own directives: their table, and the typed values that every process works with.
 */
#ifndef CONF_CORE_H
#define CONF_CORE_H

#include "conf/conf_schema.h"

extern const lpm_directive conf_core_directives[];

/* The most workers of a pool, by `count` or by a resize. */
#define CONF_CORE_WORKERS_MAX 1024u

/* In the order of the directive's words. bus_dispatch.h tells what they mean. */
enum conf_dispatch { CONF_LEAST_PRESSURE = 0, CONF_LEAST_LOADED, CONF_PREQUAL, CONF_ROUND_ROBIN };

/* worker { ... }: durations in ms, LPM_NONE for no limit. */
struct conf_pool {
    const char *name;            /* "default" for the block without a name */
    const struct lpm_conf *node; /* NULL: the default pool stands nowhere */
    const char **handlers;       /* named pools: the modules that run here; NULL: those that no pool names */
    size_t handler_count;
    unsigned count;                /* how many workers it begins with */
    unsigned count_min, count_max; /* it scales itself between these, unless they are equal */
    int64_t idle_timeout;          /* see bus_scale */
    int64_t restarts;              /* LPM_NONE: without limit */
    int64_t max_restarts_in_interval;
    unsigned concurrency;
    int64_t rss_limit;             /* bytes, or LPM_NONE */
    int64_t max_requests, max_age; /* less a jitter, see bus_leave_jitter(); or LPM_NONE */
    int64_t ready_timeout;
    int64_t drain_timeout;
    int64_t slow_request; /* a handler that runs so long is told of; LPM_NONE */
    int64_t kill_after;   /* from a request's timeout to the end of a worker that cannot be talked to */
    int64_t queue_limit, queue_bytes, queue_timeout;
    enum conf_dispatch dispatch;
};

struct conf_module {
    const char *path;            /* as written */
    const struct lpm_conf *node; /* NULL: none */
};

/* Strings and arrays live as long as the tree. Paths are as written, relative to the working
 * directory, which main() makes the prefix. */
struct conf_core {
    struct conf_tree *tree; /* not owned */
    const char *user;       /* NULL: stay who we are */
    const char *pid;
    const char *error_log; /* a path or "stderr" */
    int error_log_level;
    const char *slow_log; /* a path; NULL: the error log */
    const char *control;  /* "off": none */
    int control_fd;       /* what the master bound for it, or -1 */
    bool daemon;
    unsigned max_generations; /* that drain, before a reload waits */
    int64_t probation;        /* ms */
    int64_t shutdown_timeout; /* ms, or LPM_NONE */
    unsigned spin;            /* us; 0: off */
    int64_t upgrade_timeout;  /* ms, or LPM_NONE */
    struct conf_module *modules;
    size_t module_count;
    int64_t timeout; /* request { }: ms, LPM_NONE */
    int64_t retries;
    int64_t poison_after; /* workers that a request may kill before it is never tried again */
    int64_t quarantine;   /* ms; LPM_NONE: until somebody lets them go; 0: none */
    int64_t queue_total_limit, queue_total_bytes; /* of all pools together; LPM_NONE */
    struct conf_pool *pools;                      /* the default pool is the first */
    size_t pool_count;
};

/* Fills `core` from a tree that conf_schema_check() passed, with the default of the table for what does not
 * stand. Also refuses what the table cannot say: two pools of one name, a handler in two pools, a module loaded
 * twice. 0, LPM_ECONF or LPM_ENOMEM. */
int conf_core_read(struct conf_core *core, struct conf_tree *tree, struct error *err);

/* Does it scale itself? */
static inline bool conf_core_is_scaled(const struct conf_pool *pool)
{
    return pool->count_min < pool->count_max;
}

/* The place in `core->pools` of the pool in which the handler runs. */
size_t conf_core_pool_of(const struct conf_core *core, const char *handler);

#endif
