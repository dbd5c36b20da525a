/*
 * The file that a process was started from. Runs in the process that people start; fails without /proc.
 */
#include "os/os_program.h"

#include <errno.h>
#include <limits.h>
#include <lpm/module.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SELF "/proc/self/exe"

/* Is it us? */
static bool is_self(const char *path)
{
    struct stat self, st;
    return stat(SELF, &self) == 0 && stat(path, &st) == 0 && self.st_dev == st.st_dev &&
           self.st_ino == st.st_ino;
}

/* "DIR/WORD", absolute; an empty DIR is the working directory. */
static bool join(const char *dir, size_t len, const char *word, char *path, size_t size)
{
    char here[PATH_MAX] = "";
    int n;

    if ((len == 0 || dir[0] != '/') && !getcwd(here, sizeof(here))) {
        return false;
    }
    n = snprintf(path, size, "%s%s%.*s%s%s", here, here[0] && len ? "/" : "", (int)len, dir,
                 len && dir[len - 1] == '/' ? "" : "/", word);
    return n > 0 && (size_t)n < size && is_self(path);
}

static bool search(const char *word, char *path, size_t size)
{
    const char *dirs = getenv("PATH");

    while (dirs) {
        size_t len = strcspn(dirs, ":");
        if (join(dirs, len, word, path, size)) {
            return true;
        }
        dirs = dirs[len] ? dirs + len + 1 : NULL;
    }
    return false;
}

int os_program_find(const char *word, char *path, size_t size, struct error *err)
{
    bool found;
    ssize_t n;

    if (word[0] == '/') {
        found = (size_t)snprintf(path, size, "%s", word) < size && is_self(path);
    } else {
        found = strchr(word, '/') ? join("", 0, word, path, size) : search(word, path, size);
    }
    if (found) {
        return 0;
    }
    n = readlink(SELF, path, size);
    if (n < 0 || (size_t)n >= size) {
        return error_set(err, LPM_EIO, "cannot tell which file was started: " SELF ": %s",
                         strerror(n < 0 ? errno : ENAMETOOLONG));
    }
    path[n] = '\0';
    return 0;
}
