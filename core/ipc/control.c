/*
 * Messages between master and bus. Runs in both. A message is whole or it is refused; no descriptor leaks.
 */
#include "ipc/control.h"

#include <errno.h>
#include <lpm/module.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "ipc/rights.h"

_Static_assert(sizeof(struct control) == 32, "no padding: its bytes are sent as they are");

int control_pair(int fds[2], struct error *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
        return error_set(err, LPM_EIO, "cannot make the channel between master and bus: socketpair: %s",
                         strerror(errno));
    }
    return 0;
}

int control_send(int channel, const struct control *message, int fd)
{
    return rights_send(channel, message, sizeof(*message), fd);
}

static bool may_bring(const struct control *message)
{
    return message->type == CONTROL_RELOADED && message->status != 0;
}

static bool has_to_bring(const struct control *message)
{
    return message->type == CONTROL_WORKER_NEW || message->type == CONTROL_SUCCESSOR ||
           message->type == CONTROL_PREDECESSOR || (message->type == CONTROL_LOG && message->status == 0);
}

static bool is_sound(const struct control *message, bool brings)
{
    return message->type >= CONTROL_WORKER_NEW && message->type < CONTROL_TYPE_END &&
           (may_bring(message) || brings == has_to_bring(message));
}

bool control_has_lost(const struct control *message, int fd)
{
    return fd < 0 && has_to_bring(message);
}

int control_receive(int channel, struct control *message, int *fd)
{
    int rc = rights_receive(channel, message, sizeof(*message), fd);

    if (rc != 1 && rc != LPM_ENOMEM) {
        return rc;
    }
    if (!is_sound(message, *fd >= 0 || rc == LPM_ENOMEM)) {
        fd_close(fd);
        return LPM_EPROTO;
    }
    return 1;
}
