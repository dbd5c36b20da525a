/*
 * sd_listen_fds(3) without its library. Runs in the master.
 */
#include "os/os_inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define FIRST   3
#define FDS_MAX 4096
#define UNKNOWN "unknown"

static long read_number(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long value;

    if (!text || *text < '0' || *text > '9') {
        return -1;
    }
    errno = 0;
    value = strtol(text, &end, 10);
    return *end == '\0' && errno == 0 ? value : -1;
}

/* The next of the names, which stand with ':' between them. */
static const char *next_name(char **names)
{
    const char *name = *names ? strsep(names, ":") : NULL;
    return name && *name ? name : UNKNOWN;
}

static int take(struct os_inherit *inherit, size_t count, struct error *err)
{
    const char *text = getenv("LISTEN_FDNAMES");
    char *names;

    inherit->list = calloc(count, sizeof(*inherit->list));
    inherit->names = strdup(text ? text : "");
    if (!inherit->list || !inherit->names) {
        return error_set(err, LPM_ENOMEM, "no memory for %zu descriptors that were handed over", count);
    }
    names = inherit->names;
    for (size_t i = 0; i < count; i++) {
        int fd = FIRST + (int)i;
        inherit->list[i] = (struct os_inherited){fd, next_name(&names)};
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
            inherit->list[i].fd = -1; /* there is none of that number */
        }
    }
    inherit->count = count;
    return 0;
}

int os_inherit_take(struct os_inherit *inherit, struct error *err)
{
    static const char *const variables[] = {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"};
    long count = read_number("LISTEN_FDS");
    int rc = 0;

    *inherit = (struct os_inherit){.list = NULL};
    if (count > FDS_MAX) {
        rc = error_set(err, LPM_EINVAL, "LISTEN_FDS is %ld: expected at most %d", count, FDS_MAX);
    } else if (count > 0 && read_number("LISTEN_PID") == (long)getpid()) {
        rc = take(inherit, (size_t)count, err);
    }
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        unsetenv(variables[i]);
    }
    return rc;
}

void os_inherit_fini(struct os_inherit *inherit)
{
    for (size_t i = 0; i < inherit->count; i++) {
        fd_close(&inherit->list[i].fd);
    }
    free(inherit->list);
    free(inherit->names);
    *inherit = (struct os_inherit){.list = NULL};
}
