/*
 * The streamed part of an answer: from the worker's descriptor to the client.
 */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include <event2/event_struct.h>
#include <lpm/module.h>
#include <stdbool.h>

#include "http_pipe.h"

struct http_connection;

/* How the client learns where the answer ends. */
enum http_framing { HTTP_MEASURED, HTTP_CHUNKED, HTTP_UNTIL_CLOSE };

struct http_stream {
    bool open;
    int fd;
    enum http_framing framing;
    uint64_t left; /* HTTP_MEASURED: bytes that are still to come */
    bool large;    /* the last piece was: the next goes through the pipe */
    bool copies;   /* it cannot be spliced */
    struct http_pipe pipe;
    struct event readable;
};

/* Takes `fd`; `data` are the bytes of the answer before it. They are put behind the head in c->work->out, 0; or LPM_ENOMEM,
 * LPM_ETOOBIG (more than the length that was announced), LPM_EIO (`fd` is none: it was lost), and `fd` is closed. */
int http_stream_begin(struct http_connection *c, int fd, enum http_framing framing, uint64_t length,
                      lpm_slice data);

/* c->work->out is empty: goes on. true: all is in c->work->out, and the stream is over; false: it waits, or the connection is gone. */
bool http_stream_pump(struct http_connection *c);

/* Whoever writes to it gets EPIPE. */
void http_stream_close(struct http_connection *c);

#endif
