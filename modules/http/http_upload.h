/*
 * The streamed part of a request: from the client to the worker's descriptor, beside whatever the connection does about the
 * answer, which may begin and even end before the body does.
 */
#ifndef HTTP_UPLOAD_H
#define HTTP_UPLOAD_H

#include <event2/event_struct.h>
#include <stdbool.h>

#include "http_pipe.h"

struct http_connection;

struct http_upload {
    bool open;
    bool whole;  /* all of the body has come; some of it may still have to go */
    bool stuck;  /* its reader takes no more now */
    bool large;  /* the last piece was: the next goes through the pipe */
    bool copies; /* it cannot be spliced */
    int fd;      /* the writer's end of a stream */
    struct event writable, timer;
    struct http_pipe pipe;
};

/* Hands the request to the bus with a stream that the body goes to: 0, or LPM_E... of lpm_supervisor_enqueue() or
 * lpm_stream_pair(). */
int http_upload_begin(struct http_connection *c);

/* Moves what has come, as far as the handler takes it. The connection may be gone afterwards. */
void http_upload_run(struct http_connection *c);

/* There is an answer, or an `error` of the bus: is the rest of the body still wanted? */
void http_upload_answered(struct http_connection *c, int error);

/* Whoever reads it gets ECONNRESET, if it did not have the end already. */
void http_upload_close(struct http_connection *c);

#endif
