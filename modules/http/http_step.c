/*
 * What a connection does with a request, state by state: each step returns true when the next one can be tried at once,
 * false when there is nothing to do but to wait, or when the connection is gone. Runs in the bus.
 */
#include "http_connection.h"

static const char early_end[] = "the request ended early";

static bool refuse(struct http_connection *c, int status, const char *why)
{
    c->work->x.open = true;
    http_exchange_refuse(c, status, why, 0);
    return true;
}

static bool step_idle(struct http_connection *c)
{
    const struct http_conf *conf = &c->server->conf;
    if (c->in && c->in->end > c->in->start) {
        http_parse_init(&c->in->parse, conf->large_header_size);
        memset(&c->work->x, 0, sizeof(c->work->x));
        c->state = HTTP_HEAD;
        http_io_deadline(c, conf->header_timeout);
        http_io_resume(c);
        return true;
    }
    if (c->eof) {
        http_connection_close(c);
        return false;
    }
    if (c->server->draining) {
        http_connection_drain(c);
        return false;
    }
    http_connection_release(c);
    http_io_deadline(c, c->fresh ? conf->header_timeout : conf->keepalive_timeout);
    http_io_resume(c);
    return false;
}

/* 100 Continue, but not for a client that did not wait for it. false: the connection is gone. */
static bool ask_for_body(struct http_connection *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct http_parse *parse = &c->in->parse;
    if (!parse->head.expect_continue || c->work->x.received || c->in->end - c->in->start > parse->pos) {
        return true;
    }
    if (http_buffer_add(&c->work->out, &c->server->buffers, go_on, sizeof(go_on) - 1)) {
        http_connection_abort(c);
        return false;
    }
    return http_io_flush(c) >= 0;
}

/* The bus gets the request now, and its handler the body as it comes. */
static bool begin_upload(struct http_connection *c)
{
    int rc = http_upload_begin(c);
    if (rc) {
        http_exchange_fail(c, rc);
        return true;
    }
    c->state = HTTP_WAIT;
    http_io_deadline(c, 0);
    if (ask_for_body(c)) {
        http_upload_run(c);
    }
    return false;
}

/* The head is whole and allowed: the body is next, if only to find that there is none. */
static bool begin_body(struct http_connection *c)
{
    if (c->work->x.streamed) {
        return begin_upload(c);
    }
    c->state = HTTP_BODY;
    return ask_for_body(c);
}

static bool step_head(struct http_connection *c)
{
    struct http_input *in = c->in;
    const char *why;
    int status = http_parse_head(&in->parse, in->bytes + in->start, in->end - in->start);
    if (status == HTTP_PARSE_MORE) {
        if (!c->eof) {
            return false;
        }
        if (http_parse_begun(&in->parse, in->end - in->start)) {
            return refuse(c, 400, early_end);
        }
        http_connection_close(c);
        return false;
    }
    c->fresh = false;
    c->requests++;
    c->work->x.open = true;
    if (status != HTTP_PARSE_DONE) {
        return refuse(c, status, in->parse.why);
    }
    status = http_request_route(c, &why);
    return status ? refuse(c, status, why) : begin_body(c);
}

static bool submit(struct http_connection *c, lpm_slice body)
{
    int rc;
    c->work->x.received = true;
    rc = http_request_enqueue(c, body, 0, http_exchange_answer);
    http_buffer_release(&c->work->body.data, &c->server->buffers);
    if (rc) {
        http_exchange_fail(c, rc);
        return true;
    }
    c->state = HTTP_WAIT;
    http_io_deadline(c, 0);
    return false;
}

int http_step_take_body(struct http_connection *c)
{
    struct http_input *in = c->in;
    char *from = in->bytes + in->start + c->work->x.length;
    size_t len = in->end - in->start - c->work->x.length, used = 0;
    int status;
    if (len == 0) {
        return !c->work->body.is_chunked && c->work->body.left == 0 ? HTTP_BODY_DONE : HTTP_BODY_MORE;
    }
    status = http_body_feed(&c->work->body, &c->server->buffers, from, len, &used);
    memmove(from, from + used, len - used);
    in->end -= (uint32_t)used;
    return status;
}

static bool step_body(struct http_connection *c)
{
    struct http_input *in = c->in;
    lpm_slice body = {in->bytes + in->start + in->parse.pos, c->work->x.length - in->parse.pos};
    int status = HTTP_BODY_DONE;
    if (!c->work->x.in_place) {
        status = http_step_take_body(c);
        body.data = c->work->body.data.data ? c->work->body.data.data : "";
        body.len = http_buffer_len(&c->work->body.data);
    } else if (in->end - in->start < c->work->x.length) {
        status = HTTP_BODY_MORE;
    }
    if (status == HTTP_BODY_DONE) {
        return submit(c, body);
    }
    if (status != HTTP_BODY_MORE) {
        return refuse(c, status, c->work->body.why);
    }
    if (c->eof) {
        return refuse(c, 400, early_end);
    }
    http_io_deadline(c, c->server->conf.body_timeout);
    return false;
}

static bool step_send(struct http_connection *c)
{
    if (http_io_flush(c) <= 0) {
        return false;
    }
    if (c->work->stream.open) {
        return http_stream_pump(c);
    }
    http_exchange_log(c);
    c->work->x.open = false;
    c->state = HTTP_TAIL;
    if (c->work->upload.open && !c->work->x.keep_alive) {
        shutdown(c->fd, SHUT_WR); /* the end of the answer, for a client that can see it by nothing else */
    }
    return true;
}

/* The request is over when its answer is sent and its handler has the body, or does not want it. */
static bool step_tail(struct http_connection *c)
{
    if (c->work->upload.open) {
        http_io_deadline(c, 0);
        return false;
    }
    if (!c->work->x.keep_alive || !c->work->x.received) {
        http_connection_end(c);
        return false;
    }
    if (c->work->out.size > HTTP_BUFFER_SIZE) {
        http_buffer_release(&c->work->out, &c->server->buffers);
    }
    c->in->start += c->work->x.length;
    if (c->in->start == c->in->end) {
        c->in->start = c->in->end = 0;
    }
    c->answered_at = http_now();
    c->state = HTTP_IDLE;
    return true;
}

void http_step_run(struct http_connection *c)
{
    bool more = true;
    while (more) {
        switch (c->state) {
        case HTTP_IDLE:
            more = step_idle(c);
            break;
        case HTTP_HEAD:
            more = step_head(c);
            break;
        case HTTP_BODY:
            more = step_body(c);
            break;
        case HTTP_SEND:
            more = step_send(c);
            break;
        case HTTP_TAIL:
            more = step_tail(c);
            break;
        default:
            more = false;
        }
    }
}
