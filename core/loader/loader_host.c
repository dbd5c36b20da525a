/*
 * The host table's part that needs no role: the log and the configuration. Runs in trial, bus and workers, called
 * by modules: what they pass in may be NULL.
 */
#include "loader/loader.h"

#include <stdio.h>

static const struct loader_owner *owner_of(const void *handle)
{
    return ((const lpm_handle *)handle)->owner;
}

static void host_log(const void *handle, int level, const char *fmt, va_list args) LPM_PRINTF(3, 0);
static void host_log(const void *handle, int level, const char *fmt, va_list args)
{
    const struct loader_owner *owner = owner_of(handle);
    log_write_args(owner->log, level, owner->module, fmt, args);
}

static const lpm_conf *conf_child(const lpm_conf *block, const char *name)
{
    return name ? conf_tree_child(block, name) : NULL;
}

static const lpm_conf *conf_next(const lpm_conf *node)
{
    return conf_tree_same(node);
}

static size_t conf_arg_count(const lpm_conf *node)
{
    return node->arg_count;
}

static lpm_slice conf_arg(const lpm_conf *node, size_t i)
{
    return i < node->arg_count ? node->args[i] : (lpm_slice){.data = "", .len = 0};
}

static int64_t conf_value(const lpm_conf *node)
{
    return node->value;
}

static int conf_error(const lpm_conf *node, const char *fmt, va_list args) LPM_PRINTF(2, 0);
static int conf_error(const lpm_conf *node, const char *fmt, va_list args)
{
    const struct loader_owner *owner = owner_of(node);
    struct error text, placed;

    error_set_args(&text, LPM_ECONF, fmt, args);
    conf_tree_error(node, &placed, "%s", text.text);
    if (owner->conf_error) {
        *owner->conf_error = placed;
    } else {
        log_write(owner->log, LPM_LOG_ERROR, "%s: %s", owner->module ? owner->module : "module", placed.text);
    }
    return LPM_ECONF;
}

static const char *mistake(int code)
{
    switch (code) {
    case LPM_EINVAL:
        return "an argument is NULL, malformed or out of its range";
    case LPM_EROLE:
        return "not to be called in this process, or not now";
    case LPM_ETOOBIG:
        return "the payload is over the limit";
    case LPM_ENOHANDLER:
        return "no such handler";
    default:
        return NULL;
    }
}

int loader_misused(const void *handle, const char *call, int code)
{
    const struct loader_owner *owner = owner_of(handle);
    const char *text = mistake(code);

    if (text && owner->module) {
        log_write(owner->log, LPM_LOG_ERROR, "module \"%s\": %s() refused: %s", owner->module, call, text);
    }
    return code;
}

void loader_host_init(lpm_host *host)
{
    *host = (lpm_host){
        .size = (uint32_t)sizeof(*host),
        .minor = LPM_ABI_MINOR,
        .log = host_log,
        .conf_child = conf_child,
        .conf_next = conf_next,
        .conf_arg_count = conf_arg_count,
        .conf_arg = conf_arg,
        .conf_value = conf_value,
        .conf_error = conf_error,
    };
}
