/*
 * One client's connection: its states, its timers, what it holds. Requests are answered one after another, in the
 * order of arrival; those that a client sends ahead wait in the read buffer, and when that is full, in the kernel.
 *
 * Every event of a connection ends in http_step_run(), which goes on as far as it can. A function that says
 * that the connection is gone has freed it.
 */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include <sys/socket.h>

#include "http_body.h"
#include "http_client.h"
#include "http_response.h"
#include "http_server.h"
#include "http_stream.h"
#include "http_upload.h"

enum http_state {
    HTTP_IDLE = 0, /* no byte of the next request is there */
    HTTP_HEAD,     /* its head arrives */
    HTTP_BODY,     /* its body arrives */
    HTTP_WAIT,     /* the bus has it */
    HTTP_SEND,     /* its answer is being written */
    HTTP_TAIL,     /* it is answered, and its handler still reads the body */
    HTTP_LINGER /* answered and closed for writing: what still comes is dropped until the client has read it */
};

/* The present request, from its head to its line in the log. */
struct http_exchange {
    const struct http_location *location;
    uint64_t ticket; /* of the bus, in HTTP_WAIT */
    int status;
    bool open;      /* there is a request that has to be logged */
    bool received;  /* all of it has been read */
    bool head_only; /* HEAD */
    bool keep_alive;
    bool streamed;   /* the handler gets the body as a stream, beside HTTP_WAIT and HTTP_SEND */
    bool in_place;   /* the body is whole in the read buffer, behind the head */
    uint32_t length; /* bytes of the read buffer that are its */
    size_t body_len; /* of the answer, as far as it is sent */
    uint64_t queue_time, service_time;
    char id[37];
    bool has_id;
    char worker[80];
};

/* What a connection has only while it is at work, from the first byte of a request: an idle one has next to nothing. */
struct http_work {
    struct http_exchange x;
    struct http_buffer out;
    struct http_body body;
    struct http_upload upload; /* the rest of the body, in HTTP_WAIT, HTTP_SEND and HTTP_TAIL */
    struct http_stream stream; /* the rest of the answer, in HTTP_SEND */
    struct event write;        /* assigned while the connection is `writing` */
};

/* Where a connection reads to, borrowed from the server's stock; its bytes begin with the present request. */
struct http_input {
    struct http_parse parse;
    struct http_work work;
    uint32_t start, end;
    char bytes[]; /* server->input_size */
};

struct http_connection {
    struct http_connection *next, *prev;
    struct http_server *server;
    struct http_input *in;  /* NULL: nothing was read */
    struct http_work *work; /* that of `in` */
    struct event read, timer;
    uint64_t deadline; /* ns; 0: none */
    uint64_t timer_at; /* when the timer fires; 0: it does not run */
    int fd;
    enum http_state state;
    bool eof;     /* the client sends no more */
    bool paused;  /* not reading: only whether the client is gone is watched */
    bool writing; /* the write event is set */
    bool fresh;   /* no request has come yet */
    uint32_t requests;
    uint32_t lingered; /* bytes dropped */
    union {
        uint64_t answered_at; /* ns: the last one was */
        uint64_t linger_end;  /* ns, in HTTP_LINGER */
    };
    uint8_t remote_len, address_at, address_len;
    struct http_client client;
    char remote[56]; /* "127.0.0.1:4711", "[::1]:4711", "unix:"; NUL-terminated */
};

/* Takes over `fd`; closes it, and returns NULL, when there is no memory. */
struct http_connection *http_connection_new(struct http_server *server, int fd, const struct sockaddr *peer);

/* Closes and frees; a request that the bus has is cancelled. */
void http_connection_close(struct http_connection *c);

/* Soft kill: if it is idle hands it over, or closes it when there is nobody to take it; else lets it finish. */
void http_connection_drain(struct http_connection *c);

/* The client is gone, or too slow to take its answer: logs what was going on, and closes. */
void http_connection_abort(struct http_connection *c);

/* After its last answer: closes it, at once or when the client has read what was sent. */
void http_connection_end(struct http_connection *c);

/* Gives its buffers back. */
void http_connection_release(struct http_connection *c);

/* -- http_step.c -------------------------------------------------------------------------------------- */

/* Goes on as far as the bytes that are there allow. The connection may be gone afterwards. */
void http_step_run(struct http_connection *c);

/* Takes what the read buffer holds of a body that does not stay there into c->work->body; what is behind it moves up to the head.
 * Results as http_body_feed(). */
int http_step_take_body(struct http_connection *c);

/* -- http_io.c ---------------------------------------------------------------------------------------- */

/* Sets when the connection is to end if nothing happens; ms, 0: never. The timer itself is moved only when it has to
 * be earlier. */
void http_io_deadline(struct http_connection *c, int64_t ms);

/* Reads once, to where bytes are wanted now: how many came, 0 for the end, -EAGAIN, or another negative errno. */
ssize_t http_io_read(struct http_connection *c);

/* Watches the socket for bytes, by its edges: each is told once. 0 or -1. */
int http_io_begin(struct http_connection *c, event_callback_fn on_readable);

/* More may be there than was read, of which no edge will tell: has the one that was there told again. */
void http_io_tell_again(struct http_connection *c);

/* From now on by its level: for what is read piece by piece. */
void http_io_level(struct http_connection *c);

/* Stops reading; reads again. */
void http_io_pause(struct http_connection *c);
void http_io_resume(struct http_connection *c);

/* Writes what is in c->work->out. 1: all; 0: the rest when the socket takes it; -1: the connection is gone. */
int http_io_flush(struct http_connection *c);

/* The client takes nothing now: asks to be told when it does. 0; -1: the connection is gone. */
int http_io_wait(struct http_connection *c);

/* Writes c->work->out and then `body`; what the socket does not take is copied. Results as http_io_flush(). */
int http_io_send(struct http_connection *c, lpm_slice body);

/* -- http_request.c ----------------------------------------------------------------------------------- */

/* The head is whole: finds the location, and what is to come. 0, or the status to answer with. */
int http_request_route(struct http_connection *c, const char **why);

/* Hands the request to the bus, with `body` or, if it is not 0, the descriptor `stream`, which is the bus's if it is taken:
 * 0, or LPM_E... */
int http_request_enqueue(struct http_connection *c, lpm_slice body, int stream, lpm_response_fn on_response);

/* -- http_exchange.c ---------------------------------------------------------------------------------- */

/* Puts an answer of lpm's own into c->work->out: one line of text. `retry_after` in seconds, 0: not said. */
void http_exchange_refuse(struct http_connection *c, int status, const char *why, int64_t retry_after);

/* The same for an error of the bus. */
void http_exchange_fail(struct http_connection *c, int error);

/* The bus's callback: sends the answer and goes on. `arg` is the connection. */
void http_exchange_answer(lpm_response *res, void *arg);

/* Writes the line of the access log. */
void http_exchange_log(struct http_connection *c);

#endif
