/*
 * The head of an answer, as bytes. Pure, no allocation.
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include <lpm/module.h>
#include <stdbool.h>

struct http_answer {
    int status;
    bool keep_alive;
    bool old_client;     /* HTTP/1.0: has to be told that the connection stays */
    bool head_only;      /* the answer to HEAD */
    uint64_t length;     /* of the body, whether it is sent or not */
    bool streamed;       /* the body is a stream: its length is the module's to say */
    bool measured;       /* and it has said it */
    bool chunked;        /* it goes in chunks; neither: the end of the connection is its end */
    const char *id;      /* the request's UUID; NULL: it has none */
    const char *date;    /* NULL: the module gave one, or none is wanted */
    bool has_server;     /* the module gave one */
    int64_t retry_after; /* seconds; 0: not said */
    size_t bytes;        /* what the module's headers need */
};

/* Does a body follow the head? */
bool http_response_has_body(const struct http_answer *answer);

/* Takes note of a header of the module's: first all of them, then the encoding. A module may close the connection, and
 * may say how long the body would be that it did not make for HEAD. */
void http_response_note(struct http_answer *answer, const lpm_header *header);

/* Bytes that the encoding may need. */
size_t http_response_room(const struct http_answer *answer);

/* Each writes its part and returns the place behind it. Headers that are lpm's own business are left out. */
char *http_response_begin(char *to, const struct http_answer *answer);
char *http_response_header(char *to, const struct http_answer *answer, const lpm_header *header);
char *http_response_end(char *to);

/* The status that a module asked for (":status"; empty: 200); 0: it is none that an answer can have. */
int http_response_status(lpm_slice text);

/* The status for an error of the bus, and what it means in a few words. */
int http_response_error(int error, const char **why);

#endif
