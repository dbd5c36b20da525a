/*
 * A small HTTP/1.1 client that sends what it is told, right or wrong, and reads whole answers under a deadline.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#define CLIENT_MS 20000 /* how long an answer may take where the test says nothing else */

struct client {
    int fd;
    char *in; /* received and not yet taken */
    size_t in_len, in_size;
    bool head; /* the next answer is to a HEAD request: it has no body */
};

struct response {
    int status; /* 0: the connection was closed before an answer began */
    char *head; /* status line and fields, up to the empty line, NUL-terminated */
    char *body; /* NUL-terminated */
    size_t len;
    bool broken; /* closed in the middle, or no HTTP */
};

/* Connects to 127.0.0.1; fails the test, or returns errno (0: connected). */
void client_open(struct client *c, int port);
int client_try_open(struct client *c, int port);

/* The same from another address of this machine, as 127.0.0.2. */
void client_open_from(struct client *c, const char *source, int port);

void client_close(struct client *c);

/* Sends bytes, all of them: false when the peer has closed, or does not take them in time. */
bool client_send(struct client *c, const void *data, size_t len);
bool client_text(struct client *c, const char *text);
bool client_printf(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Sends a whole request: method, target, further fields (each with its CRLF, or ""), a body if `len` > 0 or the
 * method is POST. */
bool client_request(struct client *c, const char *method, const char *target, const char *fields,
                    const void *body, size_t len);

/* Reads one answer, skipping interim ones (1xx), or any answer. Fails the test at the deadline. The caller frees. */
void client_read(struct client *c, struct response *r, int timeout_ms);
void client_read_any(struct client *c, struct response *r, int timeout_ms);

/* True when the peer closes within the time, without a further byte. */
bool client_closed(struct client *c, int timeout_ms);

/* True when there is something to read, or the end. */
bool client_readable(struct client *c, int timeout_ms);

/* One request on a connection of its own; the answer's status, its body in `*r` if that is not NULL. */
int client_once(int port, const char *method, const char *target, const char *fields, const void *body,
                size_t len, struct response *r);
int client_get(int port, const char *target, struct response *r);

/* The value of a field (NULL: not there), in `room`. */
const char *client_field(const struct response *r, const char *name, char *room, size_t size);

void client_forget(struct response *r);

/* All of it at once: the status, and then the answer is forgotten. */
int client_status(struct client *c, int timeout_ms);

#endif
