/*
 * The configuration of the ingress. Runs in the trial, the bus and the workers; fails by lpm_conf_error().
 */
#include "http_conf.h"

#include <stdlib.h>

#include "http_server.h"

#define OWN_NAME  "http"
#define WHOLE_MAX (INT64_C(1) << 30) /* what the bus carries in one message */
#define BODY_MAX  (INT64_C(1) << 50)

const lpm_directive http_conf_directives[] = {
    {.name = "http",
     .context = "main",
     .type = LPM_CONF_BLOCK,
     .help = "what is served over HTTP/1.1, and where"},
    {.name = "listen",
     .context = "http",
     .type = LPM_CONF_LISTEN,
     .flags = LPM_CONF_MANY | LPM_CONF_MUST,
     .words = "handoff",
     .syntax = "address [backlog=number] [handoff]",
     .help = "an address to take connections on: 127.0.0.1:8080, [::1]:8080, *:8080, unix:path"},
    {.name = "access_log",
     .context = "http",
     .type = LPM_CONF_LOG,
     .value = "off",
     .help = "a line for each request"},
    {.name = "large_header_size",
     .context = "http",
     .type = LPM_CONF_SIZE,
     .min = 1024,
     .max = 131072,
     .value = "16k",
     .help = "how large a request's line and headers may be together; above, the answer is 414 or 431"},
    {.name = "max_body_size",
     .context = "http",
     .type = LPM_CONF_SIZE,
     .max = BODY_MAX,
     .value = "1m",
     .help = "how large a request's body may be; above, the answer is 413"},
    {.name = "body_buffer",
     .context = "http",
     .type = LPM_CONF_SIZE,
     .max = WHOLE_MAX,
     .value = "64k",
     .help = "how large a body may be to be handed over whole; a larger one becomes a stream"},
    {.name = "header_timeout",
     .context = "http",
     .type = LPM_CONF_TIME,
     .min = 1,
     .max = 86400000,
     .value = "60s",
     .help = "how long a request's head may take from its first byte; then the answer is 408"},
    {.name = "body_timeout",
     .context = "http",
     .type = LPM_CONF_TIME,
     .min = 1,
     .max = 86400000,
     .value = "60s",
     .help = "how long no byte of a request's body may arrive; then the answer is 408"},
    {.name = "send_timeout",
     .context = "http",
     .type = LPM_CONF_TIME,
     .min = 1,
     .max = 86400000,
     .value = "60s",
     .help = "how long a client may take no byte of an answer; then the connection is closed"},
    {.name = "keepalive_timeout",
     .context = "http",
     .type = LPM_CONF_TIME,
     .max = 86400000,
     .value = "75s",
     .help = "how long a connection may wait for its next request; 0: it is closed after the first"},
    {.name = "keepalive_requests",
     .context = "http",
     .type = LPM_CONF_NUMBER,
     .min = 1,
     .max = 1000000000,
     .value = "1000",
     .help = "how many requests a connection may bring; then it is closed"},
    {.name = "max_connections",
     .context = "http",
     .type = LPM_CONF_NUMBER,
     .min = 1,
     .max = 1000000,
     .value = "10000",
     .help = "how many connections there may be; others wait to be accepted"},
    {.name = "half_close",
     .context = "http",
     .type = LPM_CONF_FLAG,
     .value = "off",
     .help = "a client that ends its side still gets its answer; off: it is gone, and its request cancelled"},
    {.name = "shed_status",
     .context = "http",
     .type = LPM_CONF_NUMBER,
     .min = 400,
     .max = 599,
     .value = "429",
     .help = "the answer to a request that is refused because too many wait"},
    {.name = "client_address",
     .context = "http",
     .type = LPM_CONF_STRINGS,
     .args_min = 1,
     .args_max = 2,
     .syntax = "peer | header name | off",
     .value = "peer",
     .help = "who counts as one client when a queue that fills up is shared out"},
    {.name = "location",
     .context = "http",
     .type = LPM_CONF_BLOCK,
     .flags = LPM_CONF_MANY,
     .args_min = 1,
     .args_max = 1,
     .syntax = "prefix { ... }",
     .help = "what answers requests whose path begins so; the longest prefix counts"},
    {.name = "handler", .context = "location", .type = LPM_CONF_HANDLER, .help = "the module that answers"},
    {.name = "timeout",
     .context = "location",
     .type = LPM_CONF_TIME,
     .flags = LPM_CONF_MINUS_ONE,
     .min = 1,
     .max = INT64_C(31536000000),
     .help = "how long an answer may take; then it is 504; not given: request { timeout }"},
    {.name = "retries",
     .context = "location",
     .type = LPM_CONF_NUMBER,
     .max = 1000,
     .help = "how often a request of an idempotent method is started again after its worker died"},
    {.name = "retry_non_idempotent",
     .context = "location",
     .type = LPM_CONF_FLAG,
     .value = "off",
     .help = "retries are for all methods, POST too: a handler may then run twice for one request"},
    {.name = "priority",
     .context = "location",
     .type = LPM_CONF_ENUM,
     .words = "low|normal|high",
     .value = "normal",
     .help = "which requests go first while some wait, and which are refused first"},
    {.name = "max_body_size",
     .context = "location",
     .type = LPM_CONF_SIZE,
     .max = BODY_MAX,
     .help = "that of this location; not given: that of http"},
    {.name = "body_buffer",
     .context = "location",
     .type = LPM_CONF_SIZE,
     .max = WHOLE_MAX,
     .help = "that of this location; not given: that of http"},
    {.name = NULL},
};

static int location_read(struct http_location *location, const lpm_conf *node, const lpm_conf *http)
{
    lpm_slice prefix = lpm_conf_arg(node, 0);
    if (prefix.len == 0 || prefix.data[0] != '/') {
        return lpm_conf_error(node, "location \"%s\": expected a prefix that begins with \"/\"", prefix.data);
    }
    location->prefix = prefix.data;
    location->prefix_len = prefix.len;
    location->handler_name = lpm_conf_string(node, "handler", NULL);
    if (location->handler_name == NULL) {
        return lpm_conf_error(node, "location \"%s\" has no handler: expected \"handler NAME;\" in it",
                              prefix.data);
    }
    if (strcmp(location->handler_name, OWN_NAME) == 0) {
        return lpm_conf_error(node, "location \"%s\": \"" OWN_NAME "\" does not answer requests itself",
                              prefix.data);
    }
    location->timeout = lpm_conf_value(node, "timeout", LPM_DEFAULT);
    location->retries = lpm_conf_value(node, "retries", LPM_DEFAULT);
    location->retry_non_idempotent = lpm_conf_value(node, "retry_non_idempotent", 0) != 0;
    location->priority = LPM_PRIORITY_LOW + (int32_t)lpm_conf_value(node, "priority", 1);
    location->max_body_size =
        (uint64_t)lpm_conf_value(node, "max_body_size", lpm_conf_value(http, "max_body_size", 1048576));
    location->body_buffer =
        (uint64_t)lpm_conf_value(node, "body_buffer", lpm_conf_value(http, "body_buffer", 65536));
    location->max_whole = location->max_body_size < WHOLE_MAX ? location->max_body_size : WHOLE_MAX;
    return 0;
}

static int longer_first(const void *a, const void *b)
{
    size_t x = ((const struct http_location *)a)->prefix_len,
           y = ((const struct http_location *)b)->prefix_len;
    return x < y ? 1 : x > y ? -1 : 0;
}

static int locations_read(struct http_conf *conf)
{
    const lpm_conf *first = lpm_conf_child(conf->node, "location");
    size_t count = 0;
    for (const lpm_conf *node = first; node; node = lpm_conf_next(node)) {
        count++;
    }
    if (count == 0) {
        return lpm_conf_error(conf->node, "http has no location: nothing would ever be answered");
    }
    conf->locations = calloc(count, sizeof(*conf->locations));
    if (conf->locations == NULL) {
        return LPM_ENOMEM;
    }
    for (const lpm_conf *node = first; node; node = lpm_conf_next(node)) {
        struct http_location *location = &conf->locations[conf->location_count];
        int rc = location_read(location, node, conf->node);
        if (rc) {
            return rc;
        }
        for (size_t i = 0; i < conf->location_count; i++) {
            if (strcmp(conf->locations[i].prefix, location->prefix) == 0) {
                return lpm_conf_error(node, "location \"%s\" stands twice", location->prefix);
            }
        }
        conf->location_count++;
    }
    qsort(conf->locations, count, sizeof(*conf->locations), longer_first);
    return 0;
}

bool http_conf_is_handoff(const lpm_conf *listen)
{
    for (size_t i = 1; i < lpm_conf_arg_count(listen); i++) {
        if (lpm_slice_is(lpm_conf_arg(listen, i), "handoff")) {
            return true;
        }
    }
    return false;
}

/* The first listener that hands off; NULL: none does. */
static const lpm_conf *first_handoff(const lpm_conf *http)
{
    const lpm_conf *node = lpm_conf_child(http, "listen");
    while (node && !http_conf_is_handoff(node)) {
        node = lpm_conf_next(node);
    }
    return node;
}

bool http_conf_hands_off(const lpm_conf *http)
{
    return first_handoff(http) != NULL;
}

/* The pool in which a module runs. */
static const char *pool_of(const lpm_conf *root, const char *module)
{
    for (const lpm_conf *worker = lpm_conf_child(root, "worker"); worker; worker = lpm_conf_next(worker)) {
        const lpm_conf *handler = lpm_conf_child(worker, "handler");
        for (; handler; handler = lpm_conf_next(handler)) {
            if (lpm_slice_is(lpm_conf_arg(handler, 0), module)) {
                return lpm_conf_arg(worker, 0).data;
            }
        }
    }
    return "default";
}

/* A connection that a worker has can be answered only by what runs there. */
static int check_pools(const struct http_conf *conf, const lpm_conf *root)
{
    const lpm_conf *listen = first_handoff(conf->node);
    const char *own = pool_of(root, OWN_NAME);
    for (size_t i = 0; listen && i < conf->location_count; i++) {
        const struct http_location *location = &conf->locations[i];
        const char *pool = pool_of(root, location->handler_name);
        if (strcmp(pool, own) != 0) {
            return lpm_conf_error(
                listen,
                "\"listen %s handoff\": \"" OWN_NAME "\" is in the pool \"%s\", and \"%s\", the "
                "handler of location \"%s\", in \"%s\": expected all of them in one pool",
                lpm_conf_arg(listen, 0).data, own, location->handler_name, location->prefix, pool);
        }
    }
    return 0;
}

static int client_address_read(struct http_conf *conf)
{
    const lpm_conf *node = lpm_conf_child(conf->node, "client_address");
    size_t count = node ? lpm_conf_arg_count(node) : 0;
    conf->names_clients = true;
    if (count == 2 && lpm_slice_is(lpm_conf_arg(node, 0), "header") && lpm_conf_arg(node, 1).len > 0) {
        conf->client_header = lpm_conf_arg(node, 1);
    } else if (count == 1 && lpm_slice_is(lpm_conf_arg(node, 0), "off")) {
        conf->names_clients = false;
    } else if (count > 0 && !(count == 1 && lpm_slice_is(lpm_conf_arg(node, 0), "peer"))) {
        return lpm_conf_error(node, "client_address expects \"peer\", \"header NAME\" or \"off\"");
    }
    return 0;
}

int http_conf_init(struct http_conf *conf, const lpm_conf *root)
{
    const lpm_conf *node = lpm_conf_child(root, "http");
    int rc;
    *conf = (struct http_conf){.node = node};
    if (node == NULL) {
        return 0;
    }
    conf->large_header_size = (uint32_t)lpm_conf_value(node, "large_header_size", 16384);
    conf->keepalive_requests = (uint32_t)lpm_conf_value(node, "keepalive_requests", 1000);
    conf->max_connections = (uint32_t)lpm_conf_value(node, "max_connections", 10000);
    conf->half_close = lpm_conf_value(node, "half_close", 0) != 0;
    conf->header_timeout = lpm_conf_value(node, "header_timeout", 60000);
    conf->body_timeout = lpm_conf_value(node, "body_timeout", 60000);
    conf->send_timeout = lpm_conf_value(node, "send_timeout", 60000);
    conf->keepalive_timeout = lpm_conf_value(node, "keepalive_timeout", 75000);
    conf->shed_status = (int)lpm_conf_value(node, "shed_status", 429);
    rc = client_address_read(conf);
    if (rc == 0) {
        rc = locations_read(conf);
    }
    if (rc == 0) {
        rc = check_pools(conf, root);
    }
    if (rc) {
        http_conf_fini(conf);
    }
    return rc;
}

void http_conf_fini(struct http_conf *conf)
{
    free(conf->locations);
    conf->locations = NULL;
    conf->location_count = 0;
}

const char *http_conf_resolve(struct http_conf *conf, const struct http_server *server)
{
    for (size_t i = 0; i < conf->location_count; i++) {
        struct http_location *location = &conf->locations[i];
        location->handler = server->role->handler(server, location->handler_name);
        if (location->handler == NULL) {
            return location->handler_name;
        }
        location->streams = location->body_buffer < location->max_body_size &&
                            server->role->handler_minor(server, location->handler) >= 1;
    }
    return NULL;
}

const struct http_location *http_conf_match(const struct http_conf *conf, const char *path, size_t len)
{
    for (size_t i = 0; i < conf->location_count; i++) {
        const struct http_location *location = &conf->locations[i];
        if (location->prefix_len <= len && memcmp(location->prefix, path, location->prefix_len) == 0) {
            return location;
        }
    }
    return NULL;
}
