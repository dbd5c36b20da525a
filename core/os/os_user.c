/*
 * Who a process runs as. The look-up runs in the master, the change in its children; each failure is final for
 * the process.
 */
#include "os/os_user.h"

#include <errno.h>
#include <grp.h>
#include <lpm/module.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NOBODY "nobody"

static int look_up(struct os_user *user, const char *name, struct error *err)
{
    errno = 0;
    struct passwd *found = getpwnam(name);
    if (!found) {
        /* getpwnam() says "no such user" with several numbers; these are real failures. */
        if (errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
            return error_set(err, LPM_ECONF, "cannot look up the user \"%s\": %s", name, strerror(errno));
        }
        return error_set(err, LPM_ECONF, "unknown user \"%s\"", name);
    }
    if (strlen(found->pw_name) >= sizeof(user->name)) {
        return error_set(err, LPM_ECONF, "the user name \"%s\" is over %zu bytes long", name,
                         sizeof(user->name) - 1);
    }
    user->uid = found->pw_uid;
    user->gid = found->pw_gid;
    snprintf(user->name, sizeof(user->name), "%s", found->pw_name);
    return 0;
}

static int refuse_change(const char *name, struct error *err)
{
    const struct passwd *ours = getpwuid(geteuid());
    if (ours) {
        return error_set(err, LPM_ECONF, "only root can run workers as \"%s\"; lpm was started by \"%s\"",
                         name, ours->pw_name);
    }
    return error_set(err, LPM_ECONF, "only root can run workers as \"%s\"; lpm was started by uid %lu", name,
                     (unsigned long)geteuid());
}

int os_user_find(struct os_user *user, const char *name, struct error *err)
{
    memset(user, 0, sizeof(*user));
    user->uid = geteuid();
    user->gid = getegid();
    if (!name && user->uid != 0) {
        return 0;
    }
    int rc = look_up(user, name ? name : NOBODY, err);
    if (rc < 0) {
        return rc;
    }
    if (user->uid == geteuid()) {
        return 0; /* also root by choice, with "user root;" */
    }
    if (geteuid() != 0) {
        return refuse_change(user->name, err);
    }
    user->change = true;
    return 0;
}

static int change_to(const struct os_user *user, struct error *err)
{
    const char *step = "initgroups";
    if (initgroups(user->name, user->gid) != 0) {
        goto failed;
    }
    step = "setresgid";
    if (setresgid(user->gid, user->gid, user->gid) != 0) {
        goto failed;
    }
    step = "setresuid";
    if (setresuid(user->uid, user->uid, user->uid) != 0) {
        goto failed;
    }
    if (setuid(0) == 0 || seteuid(0) == 0) {
        return error_set(err, LPM_EIO, "cannot become \"%s\": the way back to root stays open", user->name);
    }
    return 0;

failed:
    return error_set(err, LPM_EIO, "cannot become \"%s\": %s: %s", user->name, step, strerror(errno));
}

int os_user_become(const struct os_user *user, struct error *err)
{
    if (user->change) {
        int rc = change_to(user, err);
        if (rc < 0) {
            return rc;
        }
        /* The change took the core dumps away, and with them what a crashed handler leaves to its author. */
        if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) {
            return error_set(err, LPM_EIO, "cannot allow core dumps: %s", strerror(errno));
        }
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return error_set(err, LPM_EIO, "cannot set no_new_privs: %s", strerror(errno));
    }
    return 0;
}
