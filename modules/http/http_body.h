/*
 * The body of a request, as its bytes arrive: without its transfer coding, within its limits. What becomes of it is told by
 * the connection: gathered whole, or sent on (http_upload.h).
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "http_buffer.h"
#include "http_chunked.h"

enum { HTTP_BODY_MORE = 0, HTTP_BODY_DONE = 1 };

struct http_body {
    struct http_buffer data; /* what is here */
    struct http_chunked chunked;
    bool is_chunked;
    uint64_t left; /* bytes to come, when it is not chunked */
    uint64_t sum;  /* bytes that came, when it is */
    uint64_t max;
    const char *why; /* of a refusal: a constant text */
};

/* Begins a body of `length` bytes, or a chunked one, of at most `max` bytes. */
void http_body_begin(struct http_body *body, bool chunked, uint64_t length, uint64_t max);

/* Takes from bytes[0..len) what belongs to the body, `*used` bytes. HTTP_BODY_MORE, HTTP_BODY_DONE, or the status to
 * answer with (400, 413, 431, 500). */
int http_body_feed(struct http_body *body, struct http_stock *stock, const char *bytes, size_t len,
                   size_t *used);

/* For a body that is not chunked: a place to read up to `*room` of its bytes to, without a copy; NULL without memory.
 * Say with http_body_arrived() how many came. */
char *http_body_room(struct http_body *body, struct http_stock *stock, size_t *room);
int http_body_arrived(struct http_body *body, size_t len);

/* The same for bytes that went past, not into its buffer. */
int http_body_passed(struct http_body *body, size_t len);

#endif
