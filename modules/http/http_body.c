/*
 * The body of a request on its way to the handler: what is here grows with what arrives and not with what the
 * client announces. Fails by naming the status to answer with.
 */
#include "http_body.h"

#define STEP 65536 /* how much is read at once */

void http_body_begin(struct http_body *body, bool chunked, uint64_t length, uint64_t max)
{
    body->is_chunked = chunked;
    body->left = chunked ? 0 : length;
    body->max = max;
    body->sum = 0;
    body->why = NULL;
    http_chunked_init(&body->chunked);
}

static int refuse(struct http_body *body, int status, const char *why)
{
    body->why = why;
    return status;
}

static int feed_chunked(struct http_body *body, struct http_stock *stock, const char *bytes, size_t len,
                        size_t *used)
{
    for (;;) {
        lpm_slice data;
        int status = http_chunked_next(&body->chunked, bytes, len, used, &data);
        body->sum += status == HTTP_CHUNKED_DATA ? data.len : 0;
        if (body->sum + http_chunked_left(&body->chunked) > body->max) {
            return refuse(body, 413, "the body is too large");
        }
        if (status == HTTP_CHUNKED_DATA) {
            if (http_buffer_add(&body->data, stock, data.data, data.len)) {
                return refuse(body, 500, "out of memory");
            }
            continue;
        }
        if (status == HTTP_CHUNKED_MORE || status == HTTP_CHUNKED_DONE) {
            return status == HTTP_CHUNKED_DONE ? HTTP_BODY_DONE : HTTP_BODY_MORE;
        }
        return refuse(body, status, body->chunked.why);
    }
}

int http_body_feed(struct http_body *body, struct http_stock *stock, const char *bytes, size_t len,
                   size_t *used)
{
    *used = 0;
    if (body->is_chunked) {
        return feed_chunked(body, stock, bytes, len, used);
    }
    if (len > body->left) {
        len = (size_t)body->left;
    }
    if (http_buffer_add(&body->data, stock, bytes, len)) {
        return refuse(body, 500, "out of memory");
    }
    *used = len;
    body->left -= len;
    return body->left == 0 ? HTTP_BODY_DONE : HTTP_BODY_MORE;
}

char *http_body_room(struct http_body *body, struct http_stock *stock, size_t *room)
{
    *room = body->left < STEP ? (size_t)body->left : STEP;
    return http_buffer_reserve(&body->data, stock, *room);
}

int http_body_arrived(struct http_body *body, size_t len)
{
    body->data.end += len;
    body->left -= len;
    return body->left == 0 ? HTTP_BODY_DONE : HTTP_BODY_MORE;
}

int http_body_passed(struct http_body *body, size_t len)
{
    body->left -= len;
    return body->left == 0 ? HTTP_BODY_DONE : HTTP_BODY_MORE;
}
