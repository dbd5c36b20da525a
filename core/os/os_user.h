/*
 * Who a process runs as.
 */
#ifndef OS_USER_H
#define OS_USER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct os_user {
    bool change; /* false: stay who we are */
    uid_t uid;
    gid_t gid;
    char name[64];
};

/* Looks `name` up (NULL: no change). As root without a name: "nobody"'s. When we are not root and `name` is not
 * who we are: refused. 0 or LPM_ECONF; the text names the user. */
int os_user_find(struct os_user *user, const char *name, struct error *err);

/* Becomes that user for good: supplementary groups, gid, uid, no_new_privs; checks that there is no way back.
 * 0 or LPM_EIO. */
int os_user_become(const struct os_user *user, struct error *err);

#endif
