/*
 * http { ... }: the module's table of directives, and their values as the ingress works with them.
 */
#ifndef HTTP_CONF_H
#define HTTP_CONF_H

#include <lpm/module.h>
#include <stdbool.h>

struct http_server;

struct http_location {
    const char *prefix;
    size_t prefix_len;
    const char *handler_name;
    const lpm_handler *handler; /* NULL until http_conf_resolve() */
    int64_t timeout, retries;   /* for lpm_enqueue */
    bool retry_non_idempotent;
    int32_t priority;
    uint64_t max_body_size; /* of a body that becomes a stream */
    uint64_t max_whole;     /* of one that does not */
    uint64_t body_buffer;   /* a body above it becomes a stream, if the handler takes one */
    bool streams;           /* it does, and bodies above it are allowed; false until http_conf_resolve() */
};

/* Durations in ms. Strings live as long as the configuration. */
struct http_conf {
    const lpm_conf *node;            /* the block; NULL: it does not stand, and there is nothing to do */
    struct http_location *locations; /* the longest prefix first */
    size_t location_count;
    uint32_t large_header_size;
    uint32_t keepalive_requests;
    uint32_t max_connections;
    bool half_close;
    int shed_status; /* when lpm refuses to keep what it took in time */
    bool names_clients;
    lpm_slice client_header; /* that names the client, if one is sent; empty: it is the peer */
    int64_t header_timeout, body_timeout, send_timeout, keepalive_timeout;
};

extern const lpm_directive http_conf_directives[];

/* Reads the block `http` of `root`. LPM_ECONF (reported by lpm_conf_error()), LPM_ENOMEM. */
int http_conf_init(struct http_conf *conf, const lpm_conf *root);
void http_conf_fini(struct http_conf *conf);

/* Has that `listen` the word `handoff`; has any in the block `http` (or NULL)? */
bool http_conf_is_handoff(const lpm_conf *listen);
bool http_conf_hands_off(const lpm_conf *http);

/* Looks up the locations' handlers, and what they take. NULL, or the name of one that lpm does not know. */
const char *http_conf_resolve(struct http_conf *conf, const struct http_server *server);

/* The location with the longest prefix of `path`, which is raw and without a query; NULL: none. Pure. */
const struct http_location *http_conf_match(const struct http_conf *conf, const char *path, size_t len);

#endif
