/*
 * The limit: a loop of libevent that reads requests, parses nothing but where they end, and writes an answer that was made
 * before; one of 1 MiB, for the path /1048576, by sendfile(), so that the kernel splices it from the page cache to the socket.
 *
 * usage: serve_bare PORT
 *
 * Runs until it is killed. Ends with a line on standard error when it cannot listen.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_MAX    16384
#define LARGE     (1 << 20)
#define BATCH_MAX 64 /* answers written at once */

static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n";
static const char large[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1048576\r\n\r\n";

struct connection {
    struct event *read, *write;
    size_t len;
    off_t sent; /* of the large answer that is under way */
    bool sending;
    char in[IN_MAX + 1];
};

static int file; /* 1 MiB */

static void end(struct connection *c)
{
    close(event_get_fd(c->read));
    event_free(c->read);
    event_free(c->write);
    free(c);
}

/* False: the connection is gone. */
static bool put(struct connection *c, const char *data, size_t len)
{
    if (send(event_get_fd(c->read), data, len, MSG_NOSIGNAL) != (ssize_t)len) {
        end(c);
        return false;
    }
    return true;
}

static void send_large(struct connection *c)
{
    int fd = event_get_fd(c->read);

    while (c->sent < LARGE) {
        ssize_t n = sendfile(fd, file, &c->sent, (size_t)(LARGE - c->sent));
        if (n < 0 && errno == EAGAIN) {
            event_add(c->write, NULL);
            return;
        }
        if (n <= 0) {
            end(c);
            return;
        }
    }
    c->sending = false;
}

static void answer(struct connection *c)
{
    static char many[BATCH_MAX * sizeof(hello)];
    const char *at = c->in, *stop;
    size_t len = 0;

    c->in[c->len] = '\0';
    while ((stop = strstr(at, "\r\n\r\n")) != NULL && len < BATCH_MAX * (sizeof(hello) - 1)) {
        if (strncmp(at, "GET /1048576 ", 13) == 0) {
            c->len = 0;
            c->sent = 0;
            c->sending = true;
            if (put(c, large, sizeof(large) - 1)) {
                send_large(c);
            }
            return;
        }
        memcpy(many + len, hello, sizeof(hello) - 1);
        len += sizeof(hello) - 1;
        at = stop + 4;
    }
    c->len -= (size_t)(at - c->in);
    memmove(c->in, at, c->len);
    if (len > 0) {
        put(c, many, len);
    }
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;
    ssize_t n = recv(fd, c->in + c->len, IN_MAX - c->len, 0);

    (void)what;
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        end(c);
        return;
    }
    c->len += (size_t)n;
    if (!c->sending) {
        answer(c);
    }
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    send_large(arg);
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct connection *c = fd < 0 ? NULL : calloc(1, sizeof(*c));

    (void)what;
    if (c) {
        c->read = event_new(arg, fd, EV_READ | EV_PERSIST, on_read, c);
        c->write = event_new(arg, fd, EV_WRITE, on_write, c);
        event_add(c->read, NULL);
    }
}

static int make_listener(const char *port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)atoi(port)),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 512) == 0 ? fd
                                                                                                     : -1;
}

int main(int argc, char **argv)
{
    struct event_base *base = event_base_new();
    int listener = argc == 2 ? make_listener(argv[1]) : -1;

    file = memfd_create("large", MFD_CLOEXEC);
    if (listener < 0 || file < 0 || ftruncate(file, LARGE) != 0) {
        fprintf(stderr, "usage: serve_bare PORT, one that is free\n");
        return 2;
    }
    event_add(event_new(base, listener, EV_READ | EV_PERSIST, on_accept, base), NULL);
    event_base_dispatch(base);
    return 1;
}
