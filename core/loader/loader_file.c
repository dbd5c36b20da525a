/*
 * The copies of module files. Runs in the master, which only moves bytes: nothing here looks at what is in them.
 * Fails with one line that names the module, the system's reason and the place in the configuration.
 */
#include "loader/loader_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define CHUNK (64 * 1024)

int loader_file_name(char room[LOADER_PATH_SIZE], const char *dir, size_t i, const char *path)
{
    const char *slash = strrchr(path, '/');
    int n = snprintf(room, LOADER_PATH_SIZE, "%s/%03zu-%s", dir, i, slash ? slash + 1 : path);
    return n >= 0 && n < LOADER_PATH_SIZE ? 0 : LPM_EINVAL;
}

int loader_file_error(const struct conf_module *module, struct error *err, int code, const char *fmt, ...)
{
    struct error text;
    va_list args;

    va_start(args, fmt);
    error_set_args(&text, code, fmt, args);
    va_end(args);
    if (module->node) {
        conf_tree_error(module->node, err, "%s", text.text);
    } else {
        *err = text;
    }
    return code;
}

/* Opens the source; `st` is what it was then. O_NONBLOCK: a pipe would block the master. */
static int open_source(const struct conf_module *module, const char *path, struct stat *st, int *fd,
                       struct error *err)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0 || fstat(*fd, st) != 0) {
        return loader_file_error(module, err, LPM_ECONF, "cannot open module \"%s\": %s", module->path,
                                 strerror(errno));
    }
    if (!S_ISREG(st->st_mode)) {
        return loader_file_error(module, err, LPM_ECONF, "cannot open module \"%s\": not a regular file",
                                 module->path);
    }
    return 0;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
    return true;
}

/* Moves the bytes. A file that is written to at this very moment would give a copy that is half the old and half
 * the new one: refused. */
static int copy_bytes(const struct conf_module *module, int in, int out, const struct stat *before,
                      struct error *err)
{
    char chunk[CHUNK];
    struct stat after;
    ssize_t n;

    while ((n = read(in, chunk, sizeof(chunk))) != 0) {
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return loader_file_error(module, err, LPM_EIO, "cannot read module \"%s\": %s", module->path,
                                     strerror(errno));
        }
        if (!write_all(out, chunk, (size_t)n)) {
            return loader_file_error(module, err, LPM_EIO, "cannot write the copy of module \"%s\": %s",
                                     module->path, strerror(errno));
        }
    }
    if (fstat(in, &after) != 0 || after.st_size != before->st_size ||
        after.st_mtim.tv_sec != before->st_mtim.tv_sec || after.st_mtim.tv_nsec != before->st_mtim.tv_nsec) {
        return loader_file_error(module, err, LPM_EIO, "module \"%s\" was changed while it was copied",
                                 module->path);
    }
    return 0;
}

static int copy_file(const struct conf_module *module, const char *source, const char *copy,
                     struct error *err)
{
    struct stat st;
    int in = -1, out = -1;
    int rc = open_source(module, source, &st, &in, err);

    if (rc) {
        goto out;
    }
    out = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    /* fchmod: whatever the umask, the unprivileged processes have to read it. */
    if (out < 0 || fchmod(out, 0644) != 0) {
        rc = loader_file_error(module, err, LPM_EIO, "cannot create \"%s\", the copy of module \"%s\": %s",
                               copy, module->path, strerror(errno));
        goto out;
    }
    rc = copy_bytes(module, in, out, &st, err);
    /* Some filesystems tell of a full disk only here. */
    if (!rc && close(out) != 0) {
        rc = loader_file_error(module, err, LPM_EIO, "cannot write the copy of module \"%s\": %s",
                               module->path, strerror(errno));
        out = -1;
    } else if (!rc) {
        out = -1;
    }
out:
    fd_close(&in);
    fd_close(&out);
    return rc;
}

int loader_copy(const struct conf_core *core, const char *from, const char *dir, struct error *err)
{
    for (size_t i = 0; i < core->module_count; i++) {
        const struct conf_module *module = &core->modules[i];
        char copy[LOADER_PATH_SIZE], earlier[LOADER_PATH_SIZE];
        int rc;

        if (loader_file_name(copy, dir, i, module->path) != 0 ||
            (from && loader_file_name(earlier, from, i, module->path) != 0)) {
            return loader_file_error(module, err, LPM_ECONF, "the path of module \"%s\" is too long",
                                     module->path);
        }
        rc = copy_file(module, from ? earlier : module->path, copy, err);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

void loader_remove(const struct conf_core *core, const char *dir)
{
    for (size_t i = 0; i < core->module_count; i++) {
        char copy[LOADER_PATH_SIZE];
        if (loader_file_name(copy, dir, i, core->modules[i].path) == 0) {
            unlink(copy);
        }
    }
    rmdir(dir);
}
