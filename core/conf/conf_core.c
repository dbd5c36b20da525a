/*
 * From the checked tree to what the processes work with. Runs in the master and, on the inherited tree, in every
 * process; refuses what one row of a table cannot say.
 */
#include "conf/conf_core.h"

#include <string.h>

#include "base/log.h"
#include "conf/conf_count.h"
#include "conf/conf_cpu.h"
#include "conf/conf_value.h"

#define POOL_DEFAULT  "default"
#define POOL_NAME_MAX 64
#define SPIN_MAX_US   1000

/* The row of a directive that the table has. */
static const lpm_directive *row_of(const char *context, const char *name)
{
    const lpm_directive *row = conf_core_directives;
    while (strcmp(row->name, name) != 0 || strcmp(row->context, context) != 0) {
        row++;
    }
    return row;
}

/* What stands in `block`, or the default. */
static int64_t number(const struct lpm_conf *block, const char *context, const char *name)
{
    const struct lpm_conf *node = conf_tree_child(block, name);
    int64_t value;

    if (node) {
        return node->value;
    }
    const lpm_directive *row = row_of(context, name);
    (void)conf_value_parse(row, row->value, &value);
    return value;
}

static int string(const struct lpm_conf *root, const char *name, const char **value, struct error *err)
{
    const struct lpm_conf *node = conf_tree_child(root, name);

    *value = node ? node->args[0].data : row_of("main", name)->value;
    if (node && **value == '\0') {
        return conf_tree_error(node, err, "\"%s\" expects a word that is not empty", name);
    }
    return LPM_OK;
}

static int read_error_log(struct conf_core *core, struct error *err)
{
    const struct lpm_conf *node = conf_tree_child(core->tree->root, "error_log");

    core->error_log = "stderr";
    core->error_log_level = LPM_LOG_NOTICE;
    if (node == NULL) {
        return LPM_OK;
    }
    core->error_log = node->args[0].data;
    if (*core->error_log == '\0') {
        return conf_tree_error(node, err, "\"error_log\" expects a file or stderr, found \"\"");
    }
    if (node->arg_count > 1) {
        core->error_log_level = log_level_parse(node->args[1].data);
    }
    if (core->error_log_level < 0) {
        return conf_tree_error(
            node, err, "\"error_log\" expects debug, info, notice, warn, error, crit or alert, found \"%s\"",
            node->args[1].data);
    }
    return LPM_OK;
}

/* The one time that is counted in microseconds. */
static int read_spin(struct conf_core *core, struct error *err)
{
    const struct lpm_conf *node = conf_tree_child(core->tree->root, "spin");
    const char *text = node ? node->args[0].data : "off";
    unsigned us = 0;
    size_t digits = strspn(text, "0123456789");

    if (strcmp(text, "off") == 0) {
        core->spin = 0;
        return LPM_OK;
    }
    for (size_t i = 0; i < digits && us <= SPIN_MAX_US; i++) {
        us = us * 10 + (unsigned)(text[i] - '0');
    }
    if (digits == 0 || us == 0 || us > SPIN_MAX_US || strcmp(text + digits, "us") != 0) {
        return conf_tree_error(node, err, "\"spin\" expects a time from 1us to %dus or off, found \"%s\"",
                               SPIN_MAX_US, text);
    }
    core->spin = us;
    return LPM_OK;
}

static size_t count_of(const struct lpm_conf *block, const char *name)
{
    size_t count = 0;
    for (const struct lpm_conf *node = conf_tree_child(block, name); node; node = conf_tree_same(node)) {
        count++;
    }
    return count;
}

static int no_memory(struct error *err)
{
    return error_set(err, LPM_ENOMEM, "out of memory while reading the configuration");
}

/* The same thing a second time: where the first one is. */
static int duplicate(const struct lpm_conf *node, const struct lpm_conf *first, const char *what,
                     const char *name, struct error *err)
{
    conf_tree_error(node, err, "%s \"%s\" is a duplicate", what, name);
    conf_tree_hint(err, "the first is in %.128s:%d", first->file, first->line);
    return LPM_ECONF;
}

static int read_modules(struct conf_core *core, struct error *err)
{
    const struct lpm_conf *node = conf_tree_child(core->tree->root, "load_module");
    size_t count = count_of(core->tree->root, "load_module");

    core->modules = conf_tree_alloc(core->tree, (count + 1) * sizeof(*core->modules));
    if (core->modules == NULL) {
        return no_memory(err);
    }
    for (; node; node = conf_tree_same(node)) {
        const char *path = node->args[0].data;
        if (*path == '\0') {
            return conf_tree_error(node, err, "\"load_module\" expects a file, found \"\"");
        }
        for (size_t i = 0; i < core->module_count; i++) {
            if (strcmp(core->modules[i].path, path) == 0) {
                return duplicate(node, core->modules[i].node, "module", path, err);
            }
        }
        core->modules[core->module_count++] = (struct conf_module){.path = path, .node = node};
    }
    return LPM_OK;
}

static bool is_pool_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return len > 0 && len <= POOL_NAME_MAX && name[len] == '\0';
}

/* What the pool says of its queue, or `request` for all. */
static int64_t own_or(const struct lpm_conf *pool, const struct lpm_conf *request, const char *name)
{
    const struct lpm_conf *own = conf_tree_child(pool, name);
    return own ? own->value : number(request, "request", name);
}

static int read_count(struct conf_pool *pool, struct error *err)
{
    const struct lpm_conf *node = conf_tree_child(pool->node, "count");
    const char *text = node ? node->args[0].data : row_of("worker", "count")->value;
    struct conf_count count;

    if (conf_count_parse(&count, text, CONF_CORE_WORKERS_MAX, conf_cpu_count()) != 0) {
        return conf_tree_error(
            node, err, "\"count\" expects a number from 1 to %u, auto, or a range such as 1..8, found \"%s\"",
            CONF_CORE_WORKERS_MAX, text);
    }
    pool->count = pool->count_min = count.min;
    pool->count_max = count.max;
    return LPM_OK;
}

static void read_limits(struct conf_pool *pool, const struct lpm_conf *node, const struct lpm_conf *request)
{
    pool->idle_timeout = number(node, "worker", "idle_timeout");
    pool->restarts = number(node, "worker", "restarts");
    pool->max_restarts_in_interval = number(node, "worker", "max_restarts_in_interval");
    pool->concurrency = (unsigned)number(node, "worker", "concurrency");
    pool->rss_limit = number(node, "worker", "rss_limit");
    pool->max_requests = number(node, "worker", "max_requests");
    pool->max_age = number(node, "worker", "max_age");
    pool->ready_timeout = number(node, "worker", "ready_timeout");
    pool->drain_timeout = number(node, "worker", "drain_timeout");
    pool->kill_after = number(node, "worker", "kill_after");
    pool->slow_request = conf_tree_child(node, "slow_request") ? number(node, "worker", "slow_request")
                                                               : number(request, "request", "slow_request");
    pool->dispatch = (enum conf_dispatch)number(node, "worker", "dispatch");
    pool->queue_limit = own_or(node, request, "queue_limit");
    pool->queue_bytes = own_or(node, request, "queue_bytes");
    pool->queue_timeout = own_or(node, request, "queue_timeout");
}

/* The directive that puts `handler` into a pool that was read before, or into this one; NULL: none does. */
static const struct lpm_conf *find_handler(const struct conf_core *core, const char *handler)
{
    for (size_t i = 0; i < core->pool_count; i++) {
        const struct lpm_conf *node = conf_tree_child(core->pools[i].node, "handler");
        for (size_t j = 0; j < core->pools[i].handler_count; j++, node = conf_tree_same(node)) {
            if (strcmp(core->pools[i].handlers[j], handler) == 0) {
                return node;
            }
        }
    }
    return NULL;
}

/* Those of a named pool, which is in `core` already. */
static int read_handlers(struct conf_core *core, struct conf_pool *pool, struct error *err)
{
    const struct lpm_conf *node = conf_tree_child(pool->node, "handler");

    if (node == NULL) {
        return conf_tree_error(pool->node, err, "pool \"%s\" needs a \"handler\"", pool->name);
    }
    pool->handlers = conf_tree_alloc(core->tree, count_of(pool->node, "handler") * sizeof(*pool->handlers));
    if (pool->handlers == NULL) {
        return no_memory(err);
    }
    for (; node; node = conf_tree_same(node)) {
        const char *handler = node->args[0].data;
        const struct lpm_conf *first = find_handler(core, handler);
        if (first) {
            return duplicate(node, first, "handler", handler, err);
        }
        pool->handlers[pool->handler_count++] = handler;
    }
    return LPM_OK;
}

static int read_default_pool(struct conf_pool *pool, const struct lpm_conf *node, struct error *err)
{
    const struct lpm_conf *handler = conf_tree_child(node, "handler");

    if (pool->node) {
        return duplicate(node, pool->node, "pool", POOL_DEFAULT, err);
    }
    if (handler) {
        conf_tree_error(handler, err, "\"handler\" needs a \"worker\" with a name");
        conf_tree_hint(err, "the one without runs every module that no other names");
        return LPM_ECONF;
    }
    pool->node = node;
    return LPM_OK;
}

static int read_named_pool(struct conf_core *core, const struct lpm_conf *node, const char *name,
                           struct error *err)
{
    if (!is_pool_name(name)) {
        return conf_tree_error(node, err, "\"worker\" expects a name of [a-z0-9_-]{1,%d}, found \"%s\"",
                               POOL_NAME_MAX, name);
    }
    for (size_t i = 1; i < core->pool_count; i++) {
        if (strcmp(core->pools[i].name, name) == 0) {
            return duplicate(node, core->pools[i].node, "pool", name, err);
        }
    }
    struct conf_pool *pool = &core->pools[core->pool_count++];
    pool->name = name;
    pool->node = node;
    return read_handlers(core, pool, err);
}

static int read_pools(struct conf_core *core, const struct lpm_conf *request, struct error *err)
{
    const struct lpm_conf *root = core->tree->root;

    core->pools = conf_tree_alloc(core->tree, (count_of(root, "worker") + 1) * sizeof(*core->pools));
    if (core->pools == NULL) {
        return no_memory(err);
    }
    core->pools[0].name = POOL_DEFAULT;
    core->pool_count = 1;
    for (const struct lpm_conf *node = conf_tree_child(root, "worker"); node; node = conf_tree_same(node)) {
        const char *name = node->arg_count > 0 ? node->args[0].data : POOL_DEFAULT;
        int rc = strcmp(name, POOL_DEFAULT) == 0 ? read_default_pool(&core->pools[0], node, err)
                                                 : read_named_pool(core, node, name, err);
        if (rc != LPM_OK) {
            return rc;
        }
    }
    for (size_t i = 0; i < core->pool_count; i++) {
        int rc = read_count(&core->pools[i], err);
        if (rc != LPM_OK) {
            return rc;
        }
        read_limits(&core->pools[i], core->pools[i].node, request);
    }
    return LPM_OK;
}

int conf_core_read(struct conf_core *core, struct conf_tree *tree, struct error *err)
{
    const struct lpm_conf *root = tree->root, *request = conf_tree_child(root, "request");
    int rc;

    *core = (struct conf_core){.tree = tree, .control_fd = -1};
    core->daemon = number(root, "main", "daemon") != 0;
    core->max_generations = (unsigned)number(root, "main", "max_generations");
    core->probation = number(root, "main", "probation");
    core->shutdown_timeout = number(root, "main", "shutdown_timeout");
    core->upgrade_timeout = number(root, "main", "upgrade_timeout");
    core->timeout = number(request, "request", "timeout");
    core->retries = number(request, "request", "retries");
    core->poison_after = number(request, "request", "poison_after");
    core->quarantine = number(request, "request", "quarantine");
    core->queue_total_limit = number(request, "request", "queue_total_limit");
    core->queue_total_bytes = number(request, "request", "queue_total_bytes");
    if ((rc = string(root, "user", &core->user, err)) != LPM_OK ||
        (rc = string(root, "pid", &core->pid, err)) != LPM_OK ||
        (rc = string(root, "control", &core->control, err)) != LPM_OK ||
        (rc = string(root, "slow_log", &core->slow_log, err)) != LPM_OK ||
        (rc = read_error_log(core, err)) != LPM_OK || (rc = read_spin(core, err)) != LPM_OK ||
        (rc = read_modules(core, err)) != LPM_OK) {
        return rc;
    }
    return read_pools(core, request, err);
}

size_t conf_core_pool_of(const struct conf_core *core, const char *handler)
{
    for (size_t i = 1; i < core->pool_count; i++) {
        for (size_t j = 0; j < core->pools[i].handler_count; j++) {
            if (strcmp(core->pools[i].handlers[j], handler) == 0) {
                return i;
            }
        }
    }
    return 0;
}
