/*
 * The chunked transfer coding, as a machine of states that takes a byte at a time, but data in pieces. Pure.
 */
#include "http_chunked.h"

#include "http_head.h"

enum state {
    SIZE,      /* hexadecimal digits */
    EXTENSION, /* behind ';' */
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER, /* where a line of the trailers begins, or the last, empty one */
    NAME,
    VALUE,
    VALUE_LF,
    END_LF,
    END
};

void http_chunked_init(struct http_chunked *c)
{
    *c = (struct http_chunked){.state = SIZE};
}

static int refuse(struct http_chunked *c, int status, const char *why)
{
    c->why = why;
    return status;
}

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int size_byte(struct http_chunked *c, unsigned char byte)
{
    int digit = hex_value(byte);
    if (digit >= 0) {
        /* 15 digits: a size never overflows, nor does the sum of it and a body. */
        if (++c->digits > 15) {
            return refuse(c, 400, "invalid chunk size");
        }
        c->left = c->left << 4 | (unsigned)digit;
        return 0;
    }
    if (c->digits == 0 || (byte != '\r' && byte != ';')) {
        return refuse(c, 400, "invalid chunk size");
    }
    c->state = byte == '\r' ? SIZE_LF : EXTENSION;
    c->extension = 0;
    return 0;
}

static int extension_byte(struct http_chunked *c, unsigned char byte)
{
    if (byte == '\r') {
        c->state = SIZE_LF;
        return 0;
    }
    if (!http_is_text(byte)) {
        return refuse(c, 400, "a control character in a chunk extension");
    }
    return ++c->extension > HTTP_CHUNK_EXTENSION_MAX ? refuse(c, 400, "a chunk extension is too long") : 0;
}

/* The chunk's head is whole. One whose heads outweigh its data is made to cost us, not to carry a body. */
static int size_done(struct http_chunked *c)
{
    uint64_t spent = (uint64_t)c->overhead + c->digits + c->extension + 4;
    uint64_t granted = c->left < HTTP_CHUNK_OVERHEAD_MAX ? 12 + 2 * c->left : spent;
    c->overhead = spent > granted ? (uint32_t)(spent - granted) : 0;
    if (c->overhead > HTTP_CHUNK_OVERHEAD_MAX) {
        return refuse(c, 400, "too much of chunk heads for too little of a body");
    }
    c->state = c->left > 0 ? DATA : TRAILER;
    c->digits = c->extension = 0;
    return 0;
}

static int trailer_byte(struct http_chunked *c, unsigned char byte)
{
    if (++c->trailer > HTTP_TRAILER_MAX) {
        return refuse(c, 431, "the trailers are too large");
    }
    if (c->state == TRAILER && byte == '\r') {
        c->state = END_LF;
    } else if (c->state == VALUE) {
        if (byte == '\r') {
            c->state = VALUE_LF;
        } else if (!http_is_text(byte)) {
            return refuse(c, 400, "a control character in a trailer");
        }
    } else if (http_token[byte]) {
        c->state = NAME;
    } else if (c->state == NAME && byte == ':') {
        c->state = VALUE;
    } else {
        return refuse(c, 400, "invalid trailer name");
    }
    return 0;
}

static int line_end(struct http_chunked *c, unsigned char byte)
{
    if (byte != (c->state == DATA_CR ? '\r' : '\n')) {
        return refuse(c, 400, "a line of the chunked body does not end in CRLF");
    }
    switch (c->state) {
    case SIZE_LF:
        return size_done(c);
    case DATA_CR:
        c->state = DATA_LF;
        return 0;
    case DATA_LF:
        c->state = SIZE;
        return 0;
    case VALUE_LF:
        c->state = TRAILER;
        return 0;
    default:
        c->state = END;
        return 0;
    }
}

static int byte_step(struct http_chunked *c, unsigned char byte)
{
    switch (c->state) {
    case SIZE:
        return size_byte(c, byte);
    case EXTENSION:
        return extension_byte(c, byte);
    case TRAILER:
    case NAME:
    case VALUE:
        return trailer_byte(c, byte);
    default:
        return line_end(c, byte);
    }
}

int http_chunked_next(struct http_chunked *c, const char *bytes, size_t len, size_t *pos, lpm_slice *data)
{
    while (c->state != END && *pos < len) {
        int status;
        if (c->state == DATA) {
            size_t there = len - *pos;
            data->data = bytes + *pos;
            data->len = c->left < there ? (size_t)c->left : there;
            *pos += data->len;
            c->left -= data->len;
            if (c->left == 0) {
                c->state = DATA_CR;
            }
            return HTTP_CHUNKED_DATA;
        }
        status = byte_step(c, (unsigned char)bytes[(*pos)++]);
        if (status) {
            return status;
        }
    }
    return c->state == END ? HTTP_CHUNKED_DONE : HTTP_CHUNKED_MORE;
}
