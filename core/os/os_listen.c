/*
 * Listening sockets. Runs in the master; each failure says the address and why.
 */
#include "os/os_listen.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <lpm/module.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "os/os_sockfile.h"

#define FORMS       "PORT, *:PORT, HOST:PORT, [IPV6]:PORT or unix:PATH"
#define BACKLOG_MAX 65535 /* the system cuts it to net.core.somaxconn */

enum kind { KIND_ADDRESS, KIND_NAME, KIND_UNIX };

/* An address, taken apart. */
struct target {
    enum kind kind;
    char host[256]; /* KIND_NAME: still to be resolved, to `port` */
    char port[16];
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } addr;
    socklen_t len;
};

/* -- From text ---------------------------------------------------------------------------------------- */

static int malformed(struct error *err, const char *address, const char *why)
{
    return error_set(err, LPM_ECONF, "invalid address \"%s\": %s; expected " FORMS, address, why);
}

/* 0..65535, or -1. */
static int parse_port(const char *text)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > 5 || text[len] != '\0') {
        return -1;
    }
    long port = strtol(text, NULL, 10);
    return port <= 65535 ? (int)port : -1;
}

static int parse_unix(struct target *t, const char *address, const char *path, struct error *err)
{
    size_t len = strlen(path);
    if (len == 0) {
        return malformed(err, address, "the path is missing");
    }
    if (len >= sizeof(t->addr.un.sun_path)) {
        return error_set(err, LPM_ECONF,
                         "invalid address \"%s\": the path has %zu bytes, the system allows %zu", address,
                         len, sizeof(t->addr.un.sun_path) - 1);
    }
    t->kind = KIND_UNIX;
    t->addr.un.sun_family = AF_UNIX;
    memcpy(t->addr.un.sun_path, path, len + 1);
    t->len = sizeof(t->addr.un);
    return 0;
}

static void set_in(struct target *t, in_addr_t host, int port)
{
    t->kind = KIND_ADDRESS;
    t->addr.in.sin_family = AF_INET;
    t->addr.in.sin_addr.s_addr = host;
    t->addr.in.sin_port = htons((uint16_t)port);
    t->len = sizeof(t->addr.in);
}

static int parse_in6(struct target *t, const char *address, int port, struct error *err)
{
    size_t len = strlen(t->host);

    if (t->host[len - 1] != ']') {
        return malformed(err, address, "\"]\" and \":PORT\" are missing");
    }
    t->host[len - 1] = '\0';
    if (inet_pton(AF_INET6, t->host + 1, &t->addr.in6.sin6_addr) != 1) {
        return malformed(err, address, "no IPv6 address stands in the brackets");
    }
    t->kind = KIND_ADDRESS;
    t->addr.in6.sin6_family = AF_INET6;
    t->addr.in6.sin6_port = htons((uint16_t)port);
    t->len = sizeof(t->addr.in6);
    return 0;
}

static bool is_host_name(const char *name)
{
    for (const char *p = name; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("-._", *p)) {
            return false;
        }
    }
    return name[0] != '\0' && name[0] != '-';
}

static int parse_host(struct target *t, const char *address, int port, struct error *err)
{
    struct in_addr in;

    if (strcmp(t->host, "*") == 0) {
        set_in(t, INADDR_ANY, port);
        return 0;
    }
    if (inet_pton(AF_INET, t->host, &in) == 1) {
        set_in(t, in.s_addr, port);
        return 0;
    }
    if (strchr(t->host, ':')) {
        return malformed(err, address, "an IPv6 address stands in brackets");
    }
    if (t->host[0] != '\0' && t->host[strspn(t->host, "0123456789.")] == '\0') {
        return malformed(err, address, "no IPv4 address stands before the port");
    }
    if (!is_host_name(t->host)) {
        return malformed(err, address, "no host stands before the port");
    }
    t->kind = KIND_NAME;
    snprintf(t->port, sizeof(t->port), "%d", port);
    return 0;
}

static int parse(struct target *t, const char *address, struct error *err)
{
    memset(t, 0, sizeof(*t));
    if (strncmp(address, "unix:", 5) == 0) {
        return parse_unix(t, address, address + 5, err);
    }
    const char *colon = strrchr(address, ':');
    int port = parse_port(colon ? colon + 1 : address);
    if (port < 0) {
        return malformed(err, address, "no port from 0 to 65535 stands at its end");
    }
    if (!colon) {
        set_in(t, INADDR_ANY, port);
        return 0;
    }
    size_t len = (size_t)(colon - address);
    if (len >= sizeof(t->host)) {
        return malformed(err, address, "the host is too long");
    }
    memcpy(t->host, address, len);
    return t->host[0] == '[' ? parse_in6(t, address, port, err) : parse_host(t, address, port, err);
}

int os_listen_check(const char *address, struct error *err)
{
    struct target t;
    return parse(&t, address, err);
}

/* -- To a socket -------------------------------------------------------------------------------------- */

static int refused(struct error *err, const char *address, const char *why)
{
    return error_set(err, LPM_EIO, "cannot listen on %s: %s", address, why);
}

/* Of several addresses the first IPv4 one is taken, so that "localhost" is 127.0.0.1 everywhere. */
static int resolve(struct target *t, const char *address, struct error *err)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(t->host, t->port, &hints, &found);

    if (code != 0) {
        hints.ai_family = AF_INET6;
        code = getaddrinfo(t->host, t->port, &hints, &found);
    }
    if (code != 0) {
        return refused(err, address, code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
    }
    memcpy(&t->addr, found->ai_addr, found->ai_addrlen);
    t->len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static void write_numeric(const struct target *t, char *room, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";

    if (t->addr.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &t->addr.in6.sin6_addr, host, sizeof(host));
        snprintf(room, size, "[%s]:%u", host, ntohs(t->addr.in6.sin6_port));
    } else {
        inet_ntop(AF_INET, &t->addr.in.sin_addr, host, sizeof(host));
        snprintf(room, size, "%s:%u", host, ntohs(t->addr.in.sin_port));
    }
}

int os_listen_resolve(const char *address, char room[OS_LISTEN_TEXT_SIZE], struct error *err)
{
    struct target t;
    int rc = parse(&t, address, err);

    if (!rc && t.kind == KIND_NAME) {
        rc = resolve(&t, address, err);
        if (!rc) {
            write_numeric(&t, room, OS_LISTEN_TEXT_SIZE);
        }
    } else if (!rc) {
        snprintf(room, OS_LISTEN_TEXT_SIZE, "%s", address);
    }
    return rc;
}

/* The address as bound: a port that was 0 has its number. */
static void describe(int fd, const char *address, char *bound, size_t size)
{
    struct target t;

    t.len = sizeof(t.addr);
    if (getsockname(fd, &t.addr.any, &t.len) != 0 || t.addr.any.sa_family == AF_UNIX) {
        snprintf(bound, size, "%s", address);
    } else {
        write_numeric(&t, bound, size);
    }
}

static int bind_unix(int fd, const struct target *t, mode_t mode, const char *address, struct error *err)
{
    struct error why;
    return os_sockfile_bind(fd, &t->addr.un, mode, &why) == 0 ? 0 : refused(err, address, why.text);
}

static int bind_tcp(int fd, const struct target *t, const char *address, struct error *err)
{
    int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) {
        return refused(err, address, strerror(errno));
    }
    if (t->addr.any.sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) {
        return refused(err, address, strerror(errno));
    }
    return bind(fd, &t->addr.any, t->len) == 0 ? 0 : refused(err, address, strerror(errno));
}

/* One file may have several names: run/x.sock is what another process calls /srv/lpm/run/x.sock. */
static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return strcmp(a, b) == 0 ||
           (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

/* Does the socket take IPv4 connections to any address too, on that port? */
static bool takes_any_in(int fd, const struct sockaddr_in6 *bound, in_port_t port)
{
    int only = 1;
    socklen_t len = sizeof(only);

    return bound->sin6_port == port && IN6_IS_ADDR_UNSPECIFIED(&bound->sin6_addr) &&
           getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) == 0 && !only;
}

static bool same_address(const struct target *a, const struct target *b)
{
    if (a->addr.any.sa_family != b->addr.any.sa_family) {
        return false;
    }
    switch (a->addr.any.sa_family) {
    case AF_INET:
        return a->addr.in.sin_port == b->addr.in.sin_port &&
               a->addr.in.sin_addr.s_addr == b->addr.in.sin_addr.s_addr;
    case AF_INET6:
        return a->addr.in6.sin6_port == b->addr.in6.sin6_port &&
               memcmp(&a->addr.in6.sin6_addr, &b->addr.in6.sin6_addr, sizeof(a->addr.in6.sin6_addr)) == 0;
    default:
        return same_file(a->addr.un.sun_path, b->addr.un.sun_path);
    }
}

bool os_listen_bound(int fd, const char *address)
{
    struct target wanted, bound;
    struct error err;

    memset(&bound, 0, sizeof(bound));
    bound.len = sizeof(bound.addr);
    if (parse(&wanted, address, &err) != 0 || wanted.kind == KIND_NAME ||
        getsockname(fd, &bound.addr.any, &bound.len) != 0) {
        return false;
    }
    return same_address(&wanted, &bound) ||
           (wanted.addr.any.sa_family == AF_INET && bound.addr.any.sa_family == AF_INET6 &&
            wanted.addr.in.sin_addr.s_addr == INADDR_ANY &&
            takes_any_in(fd, &bound.addr.in6, wanted.addr.in.sin_port));
}

const char *os_listen_text(int fd, char room[OS_LISTEN_TEXT_SIZE])
{
    struct sockaddr_un un = {.sun_path = ""};
    socklen_t len = sizeof(un);

    if (getsockname(fd, (struct sockaddr *)&un, &len) != 0) {
        snprintf(room, OS_LISTEN_TEXT_SIZE, "no socket");
    } else if (un.sun_family == AF_UNIX) {
        snprintf(room, OS_LISTEN_TEXT_SIZE, "unix:%.108s", un.sun_path);
    } else {
        describe(fd, "another socket", room, OS_LISTEN_TEXT_SIZE);
    }
    return room;
}

void os_listen_backlog(int fd, int backlog)
{
    listen(fd, backlog < 0 ? BACKLOG_MAX : backlog);
}

static int open_listener(int *fd, const char *address, int backlog, mode_t mode, char *bound, size_t size,
                         struct error *err)
{
    struct target t;

    *fd = -1;
    int rc = parse(&t, address, err);
    if (rc < 0) {
        return rc;
    }
    if (t.kind == KIND_NAME) {
        return refused(err, address, "its name has not been resolved");
    }
    *fd = socket(t.addr.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0) {
        return refused(err, address, strerror(errno));
    }
    rc = t.kind == KIND_UNIX ? bind_unix(*fd, &t, mode, address, err) : bind_tcp(*fd, &t, address, err);
    if (rc == 0 && listen(*fd, backlog < 0 ? BACKLOG_MAX : backlog) != 0) {
        rc = refused(err, address, strerror(errno));
    }
    if (rc < 0) {
        os_listen_close(fd, address);
        return rc;
    }
    describe(*fd, address, bound, size);
    return 0;
}

int os_listen(int *fd, const char *address, int backlog, char *bound, size_t size, struct error *err)
{
    return open_listener(fd, address, backlog, 0666, bound, size,
                         err); /* who may connect is for the directory to say */
}

int os_listen_private(int *fd, const char *address, char *bound, size_t size, struct error *err)
{
    return open_listener(fd, address, -1, 0600, bound, size, err);
}

int os_listen_deaf(int *fd, const char *dir, struct error *err)
{
    char address[300], bound[256];
    int rc;

    snprintf(address, sizeof(address), "unix:%.250s/deaf.sock", dir);
    rc = os_listen(fd, address, 1, bound, sizeof(bound), err);
    if (rc == 0) {
        unlink(address + strlen("unix:"));
    }
    return rc;
}

void os_listen_close(int *fd, const char *address)
{
    struct target t;
    struct error err;

    if (*fd >= 0 && parse(&t, address, &err) == 0 && t.kind == KIND_UNIX) {
        /* Ours refuses from here on, whoever has a copy of it: what still answers there is somebody else's. */
        shutdown(*fd, SHUT_RDWR);
        os_sockfile_sweep(t.addr.un.sun_path);
    }
    fd_close(fd);
}

void os_listen_sweep(const char *address)
{
    struct target t;
    struct error err;

    if (parse(&t, address, &err) == 0 && t.kind == KIND_UNIX) {
        os_sockfile_sweep(t.addr.un.sun_path);
    }
}
