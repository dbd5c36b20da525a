/*
 * Who may say what, and when: one table for frames (bus and worker) and control messages (master and bus). A peer
 * that breaks it is killed by the master. Pure.
 */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>

#include "ipc/control.h"
#include "ipc/frame.h"

enum policy_role { POLICY_MASTER = 0, POLICY_BUS, POLICY_WORKER, POLICY_ROLES };

/* Of the sender: starting (until a worker's first READY, the bus's ONLINE), serving, draining (soft kill was said). */
enum policy_phase { POLICY_STARTING = 0, POLICY_SERVING, POLICY_DRAINING, POLICY_PHASES };

bool policy_frame(enum policy_role sender, enum policy_phase phase, enum frame_type type);
bool policy_control(enum policy_role sender, enum policy_phase phase, enum control_type type);

#endif
