/*
 * The chunked transfer coding (RFC 9112, 7.1), one call after another as bytes arrive. Pure, no allocation. Strict:
 * no sign, space or line end that the grammar does not have; extensions and trailers are checked and dropped.
 */
#ifndef HTTP_CHUNKED_H
#define HTTP_CHUNKED_H

#include <lpm/module.h>
#include <stdbool.h>

enum { HTTP_CHUNKED_MORE = 0, HTTP_CHUNKED_DATA = 1, HTTP_CHUNKED_DONE = 2 };

#define HTTP_CHUNK_EXTENSION_MAX 256   /* bytes of one chunk's extensions */
#define HTTP_CHUNK_OVERHEAD_MAX  16384 /* bytes of chunk heads beyond what reasonable chunks need */
#define HTTP_TRAILER_MAX         8192  /* bytes of all trailers */

struct http_chunked {
    uint64_t left; /* bytes of the present chunk that are still to come */
    uint32_t digits, extension, trailer, overhead;
    uint8_t state;
    const char *why; /* of a refusal: a constant text */
};

void http_chunked_init(struct http_chunked *c);

/* Bytes of the present chunk that are still to come; 0 while its head is not whole. */
static inline uint64_t http_chunked_left(const struct http_chunked *c)
{
    return c->digits > 0 ? 0 : c->left;
}

/*
 * Goes on at bytes[*pos] and moves `*pos`. HTTP_CHUNKED_MORE: all were used; HTTP_CHUNKED_DATA: `*data` is the next
 * piece of the body, call again; HTTP_CHUNKED_DONE: the body has ended, what follows is not its; or the status to
 * answer with (400, 431).
 */
int http_chunked_next(struct http_chunked *c, const char *bytes, size_t len, size_t *pos, lpm_slice *data);

#endif
