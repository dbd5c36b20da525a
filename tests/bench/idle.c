/*
 * What idle connections cost a server: opens 1, 10, ... up to so many keep-alive connections to it, one request on each, and tells
 * what is its process's own by then (Private_* in /proc/PID/smaps_rollup) for each of them: beyond what it was before, and in the
 * end beyond what a process has that can have only few. Prints figures.
 *
 * usage: idle WHO PORT PID PID_OF_SMALL COUNT
 *
 * Fails when a connection is refused, or gets no answer. What the kernel has for the sockets is not counted.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "figure.h"

static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

static void die(const char *what)
{
    fprintf(stderr, "idle: error: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long private_kb(const char *pid)
{
    char path[64], line[256];
    long kb, sum = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%s/smaps_rollup", pid);
    if (!(file = fopen(path, "r"))) {
        die(path);
    }
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "Private_%*[A-Za-z]: %ld", &kb) == 1) {
            sum += kb;
        }
    }
    fclose(file);
    return sum;
}

/* Stays open until the program ends. */
static void open_one(const struct sockaddr_in *server)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[4096];

    if (fd < 0 || connect(fd, (const struct sockaddr *)server, sizeof(*server)) != 0) {
        die("connect");
    }
    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0 ||
        recv(fd, answer, sizeof(answer), 0) <= 0) {
        die("an answer");
    }
}

static void raise_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned most = argc == 6 ? (unsigned)atoi(argv[5]) : 0, count = 0;
    long before, small, now = 0;

    if (most == 0) {
        fprintf(stderr, "usage: idle WHO PORT PID PID_OF_SMALL COUNT\n");
        return 2;
    }
    server.sin_port = htons((uint16_t)atoi(argv[2]));
    raise_limit();
    before = private_kb(argv[3]);
    small = private_kb(argv[4]);
    for (unsigned step = 1; step <= most; step *= 10) {
        for (; count < step; count++) {
            open_one(&server);
        }
        now = private_kb(argv[3]);
        figure_print((double)(now - before) * 1024 / count, "bytes each", argv[1], "%u connections", count);
    }
    figure_print((double)(now - small) * 1024 / count, "bytes each, all", argv[1], "%u connections", count);
    return 0;
}
