/*
 * Bytes on their way, and the stock of memory that connections borrow it from: in the steady state a request costs
 * no malloc, and an idle connection holds nothing.
 */
#ifndef HTTP_BUFFER_H
#define HTTP_BUFFER_H

#include <lpm/module.h>
#include <stdbool.h>

#define HTTP_BUFFER_SIZE 16384 /* of a buffer as it comes from the stock */
#define HTTP_STOCK_MAX   512   /* how many blocks a stock keeps; those above go back to the system */

/* Blocks of one size. */
struct http_stock {
    void *first; /* each block's first word points to the next */
    size_t size, count;
};

void http_stock_init(struct http_stock *stock, size_t size);
void http_stock_fini(struct http_stock *stock);

/* A block, not cleared; NULL without memory. */
void *http_stock_get(struct http_stock *stock);
void http_stock_put(struct http_stock *stock, void *block);

/* Bytes [start, end) of `data` are there; all zero: empty, without memory. */
struct http_buffer {
    char *data;
    size_t start, end, size;
};

static inline size_t http_buffer_len(const struct http_buffer *b)
{
    return b->end - b->start;
}

/* Makes room for `len` more bytes and returns their place, NULL without memory; add what was written to `end`. */
char *http_buffer_reserve(struct http_buffer *b, struct http_stock *stock, size_t len);

/* Appends a copy: 0 or LPM_ENOMEM. */
int http_buffer_add(struct http_buffer *b, struct http_stock *stock, const void *data, size_t len);

/* Gives its memory back. */
void http_buffer_release(struct http_buffer *b, struct http_stock *stock);

#endif
