/*
 * Directories. Runs in the master; fails with the system's word for it.
 */
#include "os/os_dir.h"

#include <errno.h>
#include <limits.h>
#include <lpm/module.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* What is there already may be reported in many ways (EEXIST, EROFS, EACCES): hence the second look. */
static int make_one(const char *path, mode_t mode, struct error *err)
{
    if (mkdir(path, mode) == 0) {
        return 0;
    }
    int number = errno;
    if (is_directory(path)) {
        return 0;
    }
    return error_set(err, LPM_EIO, "cannot make the directory %s: %s", path,
                     number == EEXIST ? "there is something else of that name" : strerror(number));
}

/* The directory that the first `len` bytes of `path` name. */
static int make_all(const char *path, size_t len, mode_t mode, struct error *err)
{
    char part[PATH_MAX];

    if (len >= sizeof(part)) {
        return error_set(err, LPM_EIO, "cannot make the directory %.64s...: %s", path,
                         strerror(ENAMETOOLONG));
    }
    memcpy(part, path, len);
    part[len] = '\0';
    for (size_t i = 1; i < len; i++) {
        if (part[i] != '/' || part[i - 1] == '/') {
            continue;
        }
        part[i] = '\0';
        int rc = make_one(part, mode, err);
        if (rc < 0) {
            return rc;
        }
        part[i] = '/';
    }
    return make_one(part, mode, err);
}

int os_dir_make_all(const char *path, mode_t mode, struct error *err)
{
    return make_all(path, strlen(path), mode, err);
}

int os_dir_make_parent(const char *file, mode_t mode, struct error *err)
{
    const char *slash = strrchr(file, '/');
    return slash && slash != file ? make_all(file, (size_t)(slash - file), mode, err) : 0;
}
