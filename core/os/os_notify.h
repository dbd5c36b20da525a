/*
 * What the one who started us wants to be told: sd_notify(3)'s protocol, datagrams of NAME=VALUE lines.
 */
#ifndef OS_NOTIFY_H
#define OS_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"

struct os_notify {
    int socket; /* -1: nobody wants to hear anything */
    struct sockaddr_un address;
    socklen_t len;
    uint64_t watchdog_us; /* how often at least it wants WATCHDOG=1; 0: it does not */
};

/* Takes NOTIFY_SOCKET (a path, or "@" and an abstract name), WATCHDOG_USEC and WATCHDOG_PID out of the environment, where
 * they are gone for everybody from then on. 0, also when they are not there; LPM_EIO, LPM_EINVAL: nobody will be told, the
 * text says why. */
int os_notify_take(struct os_notify *notify, struct error *err);
void os_notify_close(struct os_notify *notify);

/* Puts it back into the environment, for whoever is executed next. False: no memory. */
bool os_notify_give(const struct os_notify *notify);

/* Sends the lines, with a descriptor if `fd` is not -1. Never waits. 0, also when nobody wants to hear; LPM_EAGAIN: no
 * room now; LPM_EIO. */
int os_notify_send(const struct os_notify *notify, const char *lines, int fd);

#endif
