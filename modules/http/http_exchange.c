/*
 * From an outcome to the client and to the log.
 */
#include "http_connection.h"

#include <stdio.h>

#include "http_status.h"

static lpm_slice slice(const struct http_connection *c, struct http_span span)
{
    lpm_slice s = {c->in->bytes + c->in->start + span.at, span.len};
    return s;
}

/* May the connection stay after this answer? */
static bool stays(const struct http_connection *c)
{
    const struct http_exchange *x = &c->work->x;
    bool more = c->in && c->in->end - c->in->start > x->length;
    bool ends = c->server->draining && !c->server->role->has_successor(c->server);
    return x->keep_alive && (x->received || c->work->upload.open) && !ends && !(c->eof && !more);
}

static void answer_init(struct http_connection *c, struct http_answer *answer, int status)
{
    *answer = (struct http_answer){
        .status = status,
        .keep_alive = stays(c),
        .old_client = c->in && c->in->parse.head.minor == 0,
        .head_only = c->work->x.head_only,
        .id = c->work->x.has_id ? c->work->x.id : NULL,
        .date = http_server_date(c->server)->header,
    };
    c->work->x.status = status;
    c->work->x.body_len = 0;
    c->state = HTTP_SEND;
}

void http_exchange_refuse(struct http_connection *c, int status, const char *why, int64_t retry_after)
{
    static const char type_name[] = "content-type", type[] = "text/plain; charset=utf-8";
    const lpm_header header = {{type_name, sizeof(type_name) - 1}, {type, sizeof(type) - 1}};
    struct http_answer answer;
    char text[256], *to;
    int len = snprintf(text, sizeof(text), "%d %s: %s\n", status, http_status_reason(status), why);
    answer_init(c, &answer, status);
    answer.length = (uint64_t)len;
    answer.retry_after = retry_after;
    http_response_note(&answer, &header);
    c->work->x.keep_alive = answer.keep_alive;
    to = http_buffer_reserve(&c->work->out, &c->server->buffers, http_response_room(&answer) + sizeof(text));
    if (to == NULL) {
        c->work->x.keep_alive = false; /* an answer that cannot be made: the closed connection says it */
        return;
    }
    to = http_response_begin(to, &answer);
    to = http_response_header(to, &answer, &header);
    to = http_response_end(to);
    if (http_response_has_body(&answer)) {
        memcpy(to, text, (size_t)len);
        to += len;
        c->work->x.body_len = (size_t)len;
    }
    c->work->out.end = (size_t)(to - c->work->out.data);
}

void http_exchange_fail(struct http_connection *c, int error)
{
    const char *why;
    int status = http_response_error(error, &why);
    int64_t seconds = 0;
    bool shed = error == LPM_ESHED;
    if (shed) {
        status = c->server->conf.shed_status;
    }
    if (shed || status == 503) {
        seconds = (c->server->role->retry_after(c->server, c->work->x.location->handler) + 999) / 1000;
        seconds = seconds < 1 ? 1 : seconds;
    }
    http_exchange_refuse(c, status, why, seconds);
}

/* Encodes the head into c->work->out: 0 or LPM_ENOMEM. */
static int encode(struct http_connection *c, struct http_answer *answer, const lpm_response *res)
{
    lpm_header header;
    char *to;
    for (size_t i = 0; lpm_response_header_at(res, i, &header); i++) {
        http_response_note(answer, &header);
    }
    to = http_buffer_reserve(&c->work->out, &c->server->buffers, http_response_room(answer));
    if (to == NULL) {
        return LPM_ENOMEM;
    }
    to = http_response_begin(to, answer);
    for (size_t i = 0; lpm_response_header_at(res, i, &header); i++) {
        to = http_response_header(to, answer, &header);
    }
    c->work->out.end = (size_t)(http_response_end(to) - c->work->out.data);
    return 0;
}

/* An answer that goes on with a stream. 1. */
static int stream_begin(struct http_connection *c, struct http_answer *answer, lpm_response *res)
{
    enum http_framing framing = HTTP_MEASURED;
    lpm_header header;
    int rc;
    answer->streamed = true;
    for (size_t i = 0; lpm_response_header_at(res, i, &header); i++) {
        http_response_note(answer, &header);
    }
    if (!answer->measured) {
        framing = answer->old_client ? HTTP_UNTIL_CLOSE : HTTP_CHUNKED;
        answer->chunked = !answer->old_client;
        answer->keep_alive = answer->keep_alive && answer->chunked;
    }
    rc = encode(c, answer, res);
    c->work->x.keep_alive = answer->keep_alive;
    if (rc == 0) {
        rc = http_stream_begin(c, lpm_response_stream(res), framing, answer->length, lpm_response_data(res));
    }
    if (rc == LPM_EFULL) {
        c->work->out.start = c->work->out.end = 0;
        http_exchange_fail(c, rc);
    } else if (rc != 0) {
        c->work->out.start = c->work->out.end = 0;
        http_exchange_refuse(c, 500, "the handler's answer cannot be sent", 0);
    }
    return 1;
}

/* The handler's answer. 1 or 0: it is on its way; -1: the connection is gone. */
static int answer_send(struct http_connection *c, lpm_response *res)
{
    int status = http_response_status(lpm_response_header(res, ":status"));
    lpm_slice body = lpm_response_data(res);
    struct http_answer answer;
    if (status == 0) {
        lpm_log(c->server->owner, LPM_LOG_ERROR,
                "request %s: handler \"%s\" answered with a :status that is none", c->work->x.id,
                c->work->x.location->handler_name);
        http_exchange_refuse(c, 500, "the handler's answer has no valid status", 0);
        return 1;
    }
    answer_init(c, &answer, status);
    if (lpm_response_has_stream(res) && http_response_has_body(&answer)) {
        return stream_begin(c, &answer, res);
    }
    answer.length = body.len;
    answer.streamed =
        answer.head_only && lpm_response_has_stream(res); /* its length is not that of the data */
    if (encode(c, &answer, res)) {
        http_exchange_refuse(c, 500, "out of memory", 0);
        return 1;
    }
    c->work->x.keep_alive = answer.keep_alive;
    if (!http_response_has_body(&answer)) {
        body.len = 0;
    }
    c->work->x.body_len = body.len;
    return http_io_send(c, body);
}

void http_exchange_answer(lpm_response *res, void *arg)
{
    struct http_connection *c = arg;
    int error = lpm_response_error(res);
    c->work->x.ticket = 0;
    c->work->x.queue_time = lpm_response_queue_time(res);
    c->work->x.service_time = lpm_response_service_time(res);
    if (c->server->log.fd >= 0) {
        strncpy(c->work->x.worker, lpm_response_worker(res),
                sizeof(c->work->x.worker) - 1); /* all of x was zero */
    }
    http_upload_answered(c, error);
    if (error) {
        http_exchange_fail(c, error);
    } else if (answer_send(c, res) < 0) {
        return;
    }
    http_step_run(c);
}

static lpm_slice logged_field(const struct http_connection *c, int place)
{
    lpm_slice none = {"", 0};
    return place < 0 ? none : slice(c, c->in->parse.head.fields[place].value);
}

static void log_exchange(struct http_connection *c)
{
    struct http_exchange *x = &c->work->x;
    size_t unsent = http_buffer_len(&c->work->out) + c->work->stream.pipe.held;
    struct http_log_entry entry = {
        .remote = {c->remote + c->address_at, c->address_len},
        .time = http_server_date(c->server)->log,
        .status = x->status,
        .body_bytes = unsent < x->body_len ? x->body_len - unsent : 0,
        .id = x->has_id ? x->id : NULL,
        .worker = x->worker[0] ? x->worker : "-",
        .queue_time = x->queue_time,
        .service_time = x->service_time,
        .request = {"", 0},
        .referer = {"", 0},
        .user_agent = {"", 0},
    };
    if (c->in) {
        entry.request = slice(c, c->in->parse.head.line);
        entry.referer = logged_field(c, c->in->parse.head.referer);
        entry.user_agent = logged_field(c, c->in->parse.head.user_agent);
    }
    http_log_add(&c->server->log, &entry);
}

void http_exchange_log(struct http_connection *c)
{
    if (c->server->log.fd >= 0 && c->work->x.open) {
        log_exchange(c);
    }
}
