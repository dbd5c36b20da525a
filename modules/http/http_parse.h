/*
 * The head of a request: bytes to places, one call after another as they arrive. Pure, no allocation.
 *
 * The same bytes give the same result however they were cut. Strict: each line ends in CRLF, one space stands
 * between the parts of the request line, nothing between a name and its colon, no line is folded.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include "http_head.h"

enum { HTTP_PARSE_MORE = 0, HTTP_PARSE_DONE = 1 };

struct http_parse {
    uint32_t max;  /* bytes that a head may have */
    uint32_t pos;  /* looked at so far; behind the head when it is done */
    uint32_t line; /* where the present line begins */
    bool in_fields, blank;
    const char *why; /* of a refusal: a constant text */
    struct http_head head;
};

/* Begins a new head of at most `max` bytes. */
void http_parse_init(struct http_parse *p, uint32_t max);

/*
 * Goes on with `len` bytes that begin where the request begins; those of earlier calls have not changed (the names
 * of fields become lower case in place). HTTP_PARSE_MORE, HTTP_PARSE_DONE, or the status to answer with (400, 414,
 * 417, 431, 501, 505), after which the connection has to be closed, as its bytes mean nothing any more.
 */
int http_parse_head(struct http_parse *p, char *bytes, size_t len);

/* Has a request begun, with `len` bytes there? An empty line before it does not count. */
static inline bool http_parse_begun(const struct http_parse *p, size_t len)
{
    return p->in_fields || len > p->line;
}

#endif
