/*
 * From a parsed head to the bus: which location, what body is allowed, which headers go along.
 */
#include "http_connection.h"

#include <strings.h>

#define PSEUDO_HEADERS 5

static lpm_slice slice(const char *bytes, struct http_span span)
{
    lpm_slice s = {bytes + span.at, span.len};
    return s;
}

static const char *request_bytes(const struct http_connection *c)
{
    return c->in->bytes + c->in->start;
}

static size_t path_length(lpm_slice path)
{
    const char *query = memchr(path.data, '?', path.len);
    return query ? (size_t)(query - path.data) : path.len;
}

static const struct http_location *find_location(const struct http_connection *c)
{
    const struct http_head *head = &c->in->parse.head;
    lpm_slice path = slice(request_bytes(c), head->path);
    size_t len = path_length(path);
    /* "*" and the empty path of an absolute target are about the server as a whole. */
    return len == 0 || head->form == HTTP_ASTERISK ? http_conf_match(&c->server->conf, "/", 1)
                                                   : http_conf_match(&c->server->conf, path.data, len);
}

/* Does the connection stay, as far as the client's wish goes and the server's limits? */
static bool wants_keep_alive(const struct http_connection *c)
{
    const struct http_head *head = &c->in->parse.head;
    if (head->option_close || (head->minor == 0 && !head->option_keep_alive)) {
        return false;
    }
    return c->server->conf.keepalive_timeout > 0 && c->requests < c->server->conf.keepalive_requests;
}

int http_request_route(struct http_connection *c, const char **why)
{
    struct http_parse *parse = &c->in->parse;
    const struct http_head *head = &parse->head;
    struct http_exchange *x = &c->work->x;
    uint64_t there = c->in->end - c->in->start - parse->pos;
    uint64_t max;
    x->head_only = lpm_slice_is(slice(request_bytes(c), head->method), "HEAD");
    x->keep_alive = wants_keep_alive(c);
    x->length = parse->pos;
    x->location = find_location(c);
    x->streamed = x->location && x->location->streams &&
                  (head->has_coding || head->content_length > x->location->body_buffer);
    x->in_place =
        !x->streamed && !head->has_coding && parse->pos + head->content_length <= c->server->input_size;
    if (x->in_place) {
        x->length += (uint32_t)head->content_length;
        x->received = there >= head->content_length;
    }
    if (x->location == NULL) {
        *why = "no location for this path";
        return 404;
    }
    max = x->streamed ? x->location->max_body_size : x->location->max_whole;
    if (head->has_length && head->content_length > max) {
        *why = "the body is too large";
        return 413;
    }
    if (!x->in_place) {
        http_body_begin(&c->work->body, head->has_coding, head->content_length, max);
    }
    return 0;
}

static bool is_idempotent(lpm_slice method)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (lpm_slice_is(method, methods[i])) {
            return true;
        }
    }
    return false;
}

/* The path and query for the handler. Those of an absolute target may be empty or begin with the query. */
static lpm_slice handler_path(const struct http_connection *c)
{
    const struct http_head *head = &c->in->parse.head;
    lpm_slice path = slice(request_bytes(c), head->path);
    if (path.len > 0 && path.data[0] != '?') {
        return path;
    }
    if (path.len == 0) {
        return lpm_slice_of(lpm_slice_is(slice(request_bytes(c), head->method), "OPTIONS") ? "*" : "/");
    }
    c->server->scratch[0] = '/';
    memcpy(c->server->scratch + 1, path.data, path.len);
    path.data = c->server->scratch;
    path.len++;
    return path;
}

static lpm_header *add(lpm_header *to, const char *name, lpm_slice value)
{
    to->name = lpm_slice_of(name);
    to->value = value;
    return to + 1;
}

/* The client's headers, without those that are about this connection. */
static lpm_header *add_fields(lpm_header *to, const struct http_head *head, const char *bytes)
{
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->drop || field->id == HTTP_FIELD_CONNECTION || field->id == HTTP_FIELD_TRANSFER_ENCODING ||
            field->id == HTTP_FIELD_EXPECT || field->id == HTTP_FIELD_HOP) {
            continue;
        }
        to->name = slice(bytes, field->name);
        /* The authority of an absolute target replaces the Host (RFC 9112, 3.2.2). */
        to->value = slice(bytes, field->id == HTTP_FIELD_HOST ? head->authority : field->value);
        to++;
    }
    return to;
}

/* On whose behalf it comes: `*room`, or a part of the head. The last field counts: it is that of the proxy next to us. */
static lpm_slice client_of(const struct http_connection *c, struct http_client *room)
{
    const struct http_head *head = &c->in->parse.head;
    lpm_slice wanted = c->server->conf.client_header, word;
    *room = c->client;
    for (size_t i = wanted.len > 0 ? head->field_count : 0; i-- > 0;) {
        lpm_slice name = slice(request_bytes(c), head->fields[i].name);
        if (name.len != wanted.len || strncasecmp(name.data, wanted.data, name.len) != 0) {
            continue;
        }
        if (!http_client_of_list(room, slice(request_bytes(c), head->fields[i].value), &word)) {
            *room = c->client;
        } else if (room->len == 0) {
            return word;
        }
        break;
    }
    return (lpm_slice){room->bytes, room->len};
}

int http_request_enqueue(struct http_connection *c, lpm_slice body, int stream, lpm_response_fn on_response)
{
    const struct http_head *head = &c->in->parse.head;
    const char *bytes = request_bytes(c);
    lpm_slice method = slice(bytes, head->method), remote = {c->remote, c->remote_len};
    lpm_header headers[HTTP_FIELDS_MAX + PSEUDO_HEADERS], *end = headers;
    const struct http_location *location = c->work->x.location;
    bool retry = location->retry_non_idempotent || is_idempotent(method);
    struct http_client client;
    lpm_enqueue spec = {.size = sizeof(spec)};
    int rc;
    end = add(end, ":method", method);
    end = add(end, ":path", handler_path(c));
    end = add(end, ":scheme", lpm_slice_of("http"));
    end = add(end, ":authority", slice(bytes, head->authority));
    end = add(end, ":remote", remote);
    end = add_fields(end, head, bytes);
    spec.handler = location->handler;
    spec.headers = headers;
    spec.header_count = (size_t)(end - headers);
    spec.data = body.data;
    spec.len = body.len;
    spec.stream = stream;
    spec.timeout = location->timeout;
    spec.retries = retry ? location->retries : 0;
    spec.priority = location->priority;
    spec.client = client_of(c, &client);
    spec.id = c->work->x.id;
    spec.ticket = &c->work->x.ticket;
    rc = c->server->role->enqueue(c->server, &spec, on_response, c);
    c->work->x.has_id = c->work->x.id[0] != '\0';
    return rc;
}
