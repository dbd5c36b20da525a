/*
 * sd_notify(3) without its library. Runs in the master. A socket that does not work is no reason not to serve.
 */
#include "os/os_notify.h"

#include <errno.h>
#include <lpm/module.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* 0: none, or no number. */
static uint64_t read_number(const char *name)
{
    const char *text = getenv(name);
    char *end;
    uint64_t value;

    if (!text || *text < '0' || *text > '9') {
        return 0;
    }
    errno = 0;
    value = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0 ? value : 0;
}

static int read_address(struct os_notify *notify, const char *text, struct error *err)
{
    size_t len = strlen(text);

    if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof(notify->address.sun_path)) {
        return error_set(err, LPM_EINVAL,
                         "NOTIFY_SOCKET is \"%s\": expected a path, or @ and a name, of at most %zu bytes",
                         text, sizeof(notify->address.sun_path) - 1);
    }
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, text, len);
    if (text[0] == '@') {
        notify->address.sun_path[0] = '\0';
    }
    notify->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return 0;
}

static int open_socket(struct os_notify *notify, const char *text, struct error *err)
{
    int rc = read_address(notify, text, err);

    if (rc) {
        return rc;
    }
    notify->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify->socket < 0) {
        return error_set(err, LPM_EIO, "cannot make a socket for NOTIFY_SOCKET: %s", strerror(errno));
    }
    return 0;
}

int os_notify_take(struct os_notify *notify, struct error *err)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    const char *text = getenv("NOTIFY_SOCKET");
    bool ours = !getenv("WATCHDOG_PID") || read_number("WATCHDOG_PID") == (uint64_t)getpid();
    int rc = 0;

    *notify = (struct os_notify){.socket = -1};
    if (text && *text) {
        rc = open_socket(notify, text, err);
    }
    if (notify->socket >= 0 && ours) {
        notify->watchdog_us = read_number("WATCHDOG_USEC");
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsetenv(names[i]);
    }
    return rc;
}

bool os_notify_give(const struct os_notify *notify)
{
    char text[sizeof(notify->address.sun_path)], number[24];

    if (notify->socket < 0) {
        return true;
    }
    memcpy(text, notify->address.sun_path, sizeof(text));
    if (text[0] == '\0') {
        text[0] = '@';
    }
    snprintf(number, sizeof(number), "%llu", (unsigned long long)notify->watchdog_us);
    return setenv("NOTIFY_SOCKET", text, 1) == 0 &&
           (notify->watchdog_us == 0 || setenv("WATCHDOG_USEC", number, 1) == 0);
}

void os_notify_close(struct os_notify *notify)
{
    fd_close(&notify->socket);
}

int os_notify_send(const struct os_notify *notify, const char *lines, int fd)
{
    struct iovec part = {(void *)(uintptr_t)lines, strlen(lines)};
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(fd))] = {0};
    struct msghdr head = {.msg_name = (void *)(uintptr_t)&notify->address,
                          .msg_namelen = notify->len,
                          .msg_iov = &part,
                          .msg_iovlen = 1};

    if (notify->socket < 0) {
        return 0;
    }
    if (fd >= 0) {
        struct cmsghdr *cmsg;
        head.msg_control = room;
        head.msg_controllen = sizeof(room);
        cmsg = CMSG_FIRSTHDR(&head);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
    }
    if (sendmsg(notify->socket, &head, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? LPM_EAGAIN : LPM_EIO;
    }
    return 0;
}
