/*
 * Messages from one bus to the next. Runs in the bus; the master makes the channel. A message is whole or it is refused.
 */
#include "ipc/handover.h"

#include <errno.h>
#include <lpm/module.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "ipc/rights.h"

_Static_assert(sizeof(struct handover) == 126, "no padding: its bytes are sent as they are");

int handover_pair(int fds[2], struct error *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
        return error_set(err, LPM_EIO, "cannot make the channel between two generations: socketpair: %s",
                         strerror(errno));
    }
    return 0;
}

int handover_send(int channel, const struct handover *message, int fd)
{
    return rights_send(channel, message, sizeof(*message), fd);
}

int handover_receive(int channel, struct handover *message, int *fd)
{
    int rc = rights_receive(channel, message, sizeof(*message), fd);

    if ((rc == 1 || rc == LPM_ENOMEM) && ((rc == 1 && *fd < 0) || message->len > HANDOVER_DATA_MAX ||
                                          memchr(message->module, '\0', sizeof(message->module)) == NULL)) {
        fd_close(fd);
        rc = LPM_EPROTO;
    }
    return rc;
}
