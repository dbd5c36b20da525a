/*
 * A small HTTP client. Runs in test programs. Non-blocking sockets under deadlines; fails the test when an answer
 * does not come in time.
 */
#include "client.h"

#include <stdarg.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail.h"
#include "wait.h"

/* `source`: the address to come from; NULL: any. */
static int try_open(struct client *c, const char *source, int port)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int error = 0, one = 1;
    socklen_t size = sizeof(error);

    memset(c, 0, sizeof(*c));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        return errno;
    }
    if (source && (inet_pton(AF_INET, source, &from.sin_addr) != 1 ||
                   bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0)) {
        error = errno;
    } else if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        error = errno;
        if (error == EINPROGRESS) {
            error = ETIMEDOUT;
            if (wait_fd(c->fd, POLLOUT, wait_until(CLIENT_MS))) {
                getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
            }
        }
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (error != 0) {
        client_close(c);
    }
    return error;
}

int client_try_open(struct client *c, int port)
{
    return try_open(c, NULL, port);
}

void client_open_from(struct client *c, const char *source, int port)
{
    int error = try_open(c, source, port);

    if (error != 0) {
        fail_test("cannot connect to port %d: %s", port, strerror(error));
    }
}

void client_open(struct client *c, int port)
{
    client_open_from(c, NULL, port);
}

void client_close(struct client *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    free(c->in);
    memset(c, 0, sizeof(*c));
    c->fd = -1;
}

/* -- Sending ------------------------------------------------------------------------------------------- */

bool client_send(struct client *c, const void *data, size_t len)
{
    uint64_t deadline = wait_until(CLIENT_MS);
    const char *at = data;

    while (len > 0) {
        ssize_t n = send(c->fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) {
            return false;
        }
        if (n < 0 && !wait_fd(c->fd, POLLOUT, deadline)) {
            return false;
        }
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
    return true;
}

bool client_text(struct client *c, const char *text)
{
    return client_send(c, text, strlen(text));
}

bool client_printf(struct client *c, const char *fmt, ...)
{
    char text[8192];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    assert_in_range(n, 0, sizeof(text) - 1);
    return client_send(c, text, (size_t)n);
}

bool client_request(struct client *c, const char *method, const char *target, const char *fields,
                    const void *body, size_t len)
{
    char length[64] = "";

    c->head = strcmp(method, "HEAD") == 0;
    if (len > 0 || strcmp(method, "POST") == 0) {
        snprintf(length, sizeof(length), "Content-Length: %zu\r\n", len);
    }
    return client_printf(c, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n", method, target, length,
                         fields) &&
           client_send(c, body, len);
}

/* -- Receiving ----------------------------------------------------------------------------------------- */

/* Receives more: 1; 0: the peer has closed; fails the test at the deadline. */
static int client_more(struct client *c, uint64_t deadline)
{
    ssize_t n;

    if (c->in_size - c->in_len < 65536) {
        char *larger = realloc(c->in, c->in_size = c->in_size * 2 + 131072);
        if (larger == NULL) {
            fail_test("no memory");
        }
        c->in = larger;
    }
    if (!wait_fd(c->fd, POLLIN, deadline)) {
        fail_test("no answer in time; so far: %.*s", (int)(c->in_len < 2000 ? c->in_len : 2000), c->in);
    }
    n = recv(c->fd, c->in + c->in_len, c->in_size - c->in_len - 1, 0);
    if (n <= 0) {
        return 0;
    }
    c->in_len += (size_t)n;
    c->in[c->in_len] = '\0';
    return 1;
}

/* Takes `len` bytes from what was received. */
static void client_take(struct client *c, size_t len)
{
    memmove(c->in, c->in + len, c->in_len - len);
    c->in_len -= len;
    c->in[c->in_len] = '\0';
}

static void client_append(struct response *r, const char *data, size_t len)
{
    char *larger = realloc(r->body, r->len + len + 1);

    if (larger == NULL) {
        fail_test("no memory");
    }
    r->body = larger;
    memcpy(r->body + r->len, data, len);
    r->len += len;
    r->body[r->len] = '\0';
}

/* Moves `len` bytes to the body; false when the peer closes before they have come. */
static bool client_take_body(struct client *c, struct response *r, size_t len, uint64_t deadline)
{
    while (c->in_len < len) {
        if (client_more(c, deadline) == 0) {
            return false;
        }
    }
    client_append(r, c->in, len);
    client_take(c, len);
    return true;
}

static bool client_take_chunks(struct client *c, struct response *r, uint64_t deadline)
{
    for (;;) {
        char *end;
        while ((end = memmem(c->in, c->in_len, "\r\n", 2)) == NULL) {
            if (client_more(c, deadline) == 0) {
                return false;
            }
        }
        size_t size = strtoul(c->in, NULL, 16);
        client_take(c, (size_t)(end + 2 - c->in));
        if (!client_take_body(c, r, size + 2, deadline)) {
            return false;
        }
        r->len -= 2;
        r->body[r->len] = '\0';
        if (size == 0) {
            return true;
        }
    }
}

static bool client_take_rest(struct client *c, struct response *r, uint64_t deadline)
{
    while (client_more(c, deadline) != 0) {
    }
    return client_take_body(c, r, c->in_len, deadline);
}

/* Moves the head; false when the peer closes before its end. */
static bool client_take_head(struct client *c, struct response *r, uint64_t deadline)
{
    char *end;
    size_t len;
    int status;

    while (c->in_len == 0 || (end = memmem(c->in, c->in_len, "\r\n\r\n", 4)) == NULL) {
        if (client_more(c, deadline) == 0) {
            return false;
        }
    }
    len = (size_t)(end + 2 - c->in);
    r->head = strndup(c->in, len);
    if (r->head == NULL || sscanf(r->head, "HTTP/1.1 %3d", &status) != 1) {
        return false;
    }
    r->status = status;
    client_take(c, len + 2);
    return true;
}

void client_read_any(struct client *c, struct response *r, int timeout_ms)
{
    uint64_t deadline = wait_until(timeout_ms);
    char room[64];
    bool whole;

    memset(r, 0, sizeof(*r));
    client_append(r, "", 0);
    if (!client_take_head(c, r, deadline)) {
        r->broken = c->in_len > 0;
        return;
    }
    if (r->status < 200 || r->status == 204 || r->status == 304 || c->head) {
        whole = true;
    } else if (client_field(r, "transfer-encoding", room, sizeof(room)) != NULL) {
        whole = client_take_chunks(c, r, deadline);
    } else if (client_field(r, "content-length", room, sizeof(room)) != NULL) {
        whole = client_take_body(c, r, strtoul(room, NULL, 10), deadline);
    } else {
        whole = client_take_rest(c, r, deadline);
    }
    r->broken = !whole;
}

void client_read(struct client *c, struct response *r, int timeout_ms)
{
    client_read_any(c, r, timeout_ms);
    while (r->status >= 100 && r->status < 200) {
        client_forget(r);
        client_read_any(c, r, timeout_ms);
    }
}

bool client_readable(struct client *c, int timeout_ms)
{
    return c->in_len > 0 || wait_fd(c->fd, POLLIN, wait_until(timeout_ms));
}

bool client_closed(struct client *c, int timeout_ms)
{
    char byte;

    return c->in_len == 0 && wait_fd(c->fd, POLLIN, wait_until(timeout_ms)) && recv(c->fd, &byte, 1, 0) <= 0;
}

/* -- At once ------------------------------------------------------------------------------------------- */

int client_once(int port, const char *method, const char *target, const char *fields, const void *body,
                size_t len, struct response *r)
{
    struct client c;
    struct response own;
    int status;

    client_open(&c, port);
    client_request(&c, method, target, fields, body, len);
    client_read(&c, &own, CLIENT_MS);
    client_close(&c);
    status = own.broken ? -1 : own.status;
    if (r != NULL) {
        *r = own;
    } else {
        client_forget(&own);
    }
    return status;
}

int client_get(int port, const char *target, struct response *r)
{
    return client_once(port, "GET", target, "", NULL, 0, r);
}

const char *client_field(const struct response *r, const char *name, char *room, size_t size)
{
    size_t len = strlen(name);

    if (r->head == NULL) {
        return NULL;
    }
    for (const char *line = strstr(r->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            line += len + 1;
            line += strspn(line, " \t");
            snprintf(room, size, "%.*s", (int)strcspn(line, "\r"), line);
            return room;
        }
    }
    return NULL;
}

void client_forget(struct response *r)
{
    free(r->head);
    free(r->body);
    memset(r, 0, sizeof(*r));
}

int client_status(struct client *c, int timeout_ms)
{
    struct response r;
    int status;

    client_read(c, &r, timeout_ms);
    status = r.broken ? -1 : r.status;
    client_forget(&r);
    return status;
}
