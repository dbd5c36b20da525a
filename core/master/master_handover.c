/*
 * The way from one bus to the next. Runs in the master, which only makes it.
 */
#include "master/master_handover.h"

#include "ipc/handover.h"
#include "master/master_control.h"

void master_handover_open(struct master_generation *from, struct master_generation *to)
{
    struct error err;
    int fds[2];

    if (from->bus <= 0 || to->bus <= 0) {
        return;
    }
    if (handover_pair(fds, &err) != 0) {
        log_write(&to->master->log, LPM_LOG_WARN, "generation %u keeps its connections: %s", from->number,
                  err.text);
        return;
    }
    master_control_send(from, &(struct control){.type = CONTROL_SUCCESSOR}, fds[0]);
    master_control_send(to, &(struct control){.type = CONTROL_PREDECESSOR}, fds[1]);
}
