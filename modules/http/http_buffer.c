/*
 * Bytes on their way, and the stock of memory for them. Fails with LPM_ENOMEM or NULL, changing nothing.
 */
#include "http_buffer.h"

#include <stdlib.h>

void http_stock_init(struct http_stock *stock, size_t size)
{
    *stock = (struct http_stock){.size = size};
}

void http_stock_fini(struct http_stock *stock)
{
    while (stock->first) {
        void *block = stock->first;
        stock->first = *(void **)block;
        free(block);
    }
    stock->count = 0;
}

void *http_stock_get(struct http_stock *stock)
{
    void *block = stock->first;
    if (block == NULL) {
        return malloc(stock->size);
    }
    stock->first = *(void **)block;
    stock->count--;
    return block;
}

void http_stock_put(struct http_stock *stock, void *block)
{
    if (block == NULL) {
        return;
    }
    if (stock->count == HTTP_STOCK_MAX) {
        free(block);
        return;
    }
    *(void **)block = stock->first;
    stock->first = block;
    stock->count++;
}

char *http_buffer_reserve(struct http_buffer *b, struct http_stock *stock, size_t len)
{
    size_t held = b->end - b->start, size = b->size;
    char *data;
    if (len <= b->size - b->end) {
        return b->data + b->end;
    }
    if (len > SIZE_MAX / 4 - held) {
        return NULL;
    }
    /* Moving is worth it only when it frees at least as much as it copies. */
    if (held + len <= b->size && b->start >= held) {
        memmove(b->data, b->data + b->start, held);
        b->start = 0;
        b->end = held;
        return b->data + held;
    }
    for (size = size ? size : stock->size; size < held + len; size *= 2) {
    }
    data = size == stock->size ? http_stock_get(stock) : malloc(size);
    if (data == NULL) {
        return NULL;
    }
    if (held > 0) {
        memcpy(data, b->data + b->start, held);
    }
    http_buffer_release(b, stock);
    *b = (struct http_buffer){.data = data, .end = held, .size = size};
    return data + held;
}

int http_buffer_add(struct http_buffer *b, struct http_stock *stock, const void *data, size_t len)
{
    char *room;
    if (len == 0) {
        return 0;
    }
    room = http_buffer_reserve(b, stock, len);
    if (room == NULL) {
        return LPM_ENOMEM;
    }
    memcpy(room, data, len);
    b->end += len;
    return 0;
}

void http_buffer_release(struct http_buffer *b, struct http_stock *stock)
{
    if (b->size == stock->size) {
        http_stock_put(stock, b->data);
    } else {
        free(b->data);
    }
    *b = (struct http_buffer){0};
}
