/*
 * The head of a request, incrementally. Works line by line: a line is looked at once, when it is whole, so that
 * a head that arrives byte by byte costs no more than one that arrives at once. Pure.
 */
#include "http_parse.h"

#include <string.h>

void http_parse_init(struct http_parse *p, uint32_t max)
{
    /* The fields are written before they are counted: clearing them would be the dearest part of a request. */
    memset(p, 0, offsetof(struct http_parse, head) + offsetof(struct http_head, fields));
    p->max = max;
    p->head.referer = p->head.user_agent = -1;
}

static int refuse(struct http_parse *p, int status, const char *why)
{
    p->why = why;
    return status;
}

static int version(struct http_parse *p, const char *text, size_t len)
{
    if (len != 8 || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.' || text[5] < '0' || text[5] > '9' ||
        text[7] < '0' || text[7] > '9') {
        return refuse(p, 400, "invalid version");
    }
    if (text[5] != '1') {
        return refuse(p, 505, "only HTTP/1.1 and HTTP/1.0 are spoken");
    }
    p->head.minor = text[7] > '0';
    return 0;
}

/* method SP target SP version; `end` is where the line's CR stands. */
static int request_line(struct http_parse *p, const char *bytes, uint32_t end)
{
    struct http_head *head = &p->head;
    uint32_t at = p->line;
    int status;
    head->line.at = p->line;
    head->line.len = end - p->line;
    for (; http_token[(unsigned char)bytes[at]]; at++) {
    }
    if (at == p->line || bytes[at] != ' ') {
        return refuse(p, 400, "invalid method");
    }
    head->method.at = p->line;
    head->method.len = at - p->line;
    head->target.at = ++at;
    for (; bytes[at] > ' ' && bytes[at] < 0x7f && bytes[at] != '#'; at++) {
    }
    head->target.len = at - head->target.at;
    if (head->target.len == 0 || bytes[at] != ' ') {
        return refuse(p, 400, "invalid request target");
    }
    status = version(p, bytes + at + 1, end - at - 1);
    return status ? status : http_head_target(head, bytes, &p->why);
}

/* name ":" OWS value OWS; `end` is where the line's CR stands. */
static int field_line(struct http_parse *p, char *bytes, uint32_t end)
{
    struct http_head *head = &p->head;
    struct http_field *field;
    uint32_t at = p->line, last = end;
    unsigned char lower;
    int status;
    if (head->field_count == HTTP_FIELDS_MAX) {
        return refuse(p, 431, "too many header fields");
    }
    if (bytes[at] == ' ' || bytes[at] == '\t') {
        return refuse(p, 400, "a header line that begins with a space");
    }
    for (; (lower = http_token[(unsigned char)bytes[at]]) != 0; at++) {
        bytes[at] = (char)lower;
    }
    if (at == p->line || bytes[at] != ':') {
        return refuse(p, 400, "invalid header name");
    }
    field = &head->fields[head->field_count];
    field->name.at = p->line;
    field->name.len = at - p->line;
    for (at++; at < end && (bytes[at] == ' ' || bytes[at] == '\t'); at++) {
    }
    for (; last > at && (bytes[last - 1] == ' ' || bytes[last - 1] == '\t'); last--) {
    }
    field->value.at = at;
    field->value.len = last - at;
    for (; at < last; at++) {
        if (!http_is_text((unsigned char)bytes[at])) {
            return refuse(p, 400, "a control character in a header");
        }
    }
    field->id = (uint8_t)http_field_id(bytes + field->name.at, field->name.len);
    field->drop = false;
    status = http_head_field(head, bytes, field, &p->why);
    head->field_count++;
    return status;
}

/* A whole line, `end` is where its CR stands. */
static int line(struct http_parse *p, char *bytes, uint32_t end)
{
    int status;
    if (p->in_fields) {
        if (end != p->line) {
            return field_line(p, bytes, end);
        }
        status = http_head_finish(&p->head, bytes, &p->why);
        return status ? status : HTTP_PARSE_DONE;
    }
    if (end == p->line) {
        if (p->blank) {
            return refuse(p, 400, "more than one empty line before the request");
        }
        p->blank = true;
        return 0;
    }
    status = request_line(p, bytes, end);
    p->in_fields = true;
    return status;
}

/* No line end in the bytes that may be looked at. */
static int unfinished(struct http_parse *p, uint32_t len)
{
    p->pos = len;
    if (!p->in_fields) {
        p->head.line.at = p->line;
        p->head.line.len = len - p->line;
    }
    if (len < p->max) {
        return HTTP_PARSE_MORE;
    }
    return p->in_fields ? refuse(p, 431, "the header is too large")
                        : refuse(p, 414, "the request line is too long");
}

int http_parse_head(struct http_parse *p, char *bytes, size_t len)
{
    uint32_t limit = len < p->max ? (uint32_t)len : p->max;
    for (;;) {
        const char *lf;
        uint32_t end;
        int status;
        /* What is not HTTP at all (TLS, say) is told so now, and not when a line's end never comes. */
        if (!p->in_fields && p->line < limit && http_token[(unsigned char)bytes[p->line]] == 0 &&
            bytes[p->line] != '\r') {
            return refuse(p, 400, "invalid method");
        }
        lf = memchr(bytes + p->pos, '\n', limit - p->pos);
        if (lf == NULL) {
            return unfinished(p, limit);
        }
        end = (uint32_t)(lf - bytes);
        p->pos = end + 1;
        if (end == p->line || bytes[end - 1] != '\r') {
            return refuse(p, 400, "a line does not end in CRLF");
        }
        status = line(p, bytes, end - 1);
        if (status) {
            return status;
        }
        p->line = p->pos;
    }
}
