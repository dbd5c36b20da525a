/*
 * The directories of generations. Runs in the master. Two instances may share a prefix (with pid files of their
 * own): a lock tells a directory that is in use from one whose master was killed.
 */
#include "master/master_rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "loader/loader.h"

#define RUN    "run"
#define PREFIX "gen-"
#define TRIES  100 /* how often a new directory may vanish under us */

/* The lock on a directory, or -1: it is not there, or somebody has it. */
static int take_lock(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        fd_close(&fd);
    }
    return fd;
}

/* Removes the files in the directory; they are the copies, there are no folders. */
static void empty(int lock)
{
    int fd = openat(lock, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir) {
        fd_close(&fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            unlinkat(lock, entry->d_name, 0);
        }
    }
    closedir(dir);
}

void master_rundir_clean(void)
{
    DIR *run = opendir(RUN);

    if (!run) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(run));) {
        int lock;
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0) {
            continue;
        }
        lock = take_lock(dirfd(run), entry->d_name);
        if (lock >= 0) {
            empty(lock);
            unlinkat(dirfd(run), entry->d_name, AT_REMOVEDIR);
            close(lock);
        }
    }
    closedir(run);
}

/* run/gen-3, or run/gen-3.PID while another instance has that. */
static void name_for(unsigned number, bool taken, char *path, size_t size)
{
    if (taken) {
        snprintf(path, size, RUN "/" PREFIX "%u.%ld", number, (long)getpid());
    } else {
        snprintf(path, size, RUN "/" PREFIX "%u", number);
    }
}

static int make(unsigned number, char *path, size_t size, struct error *err)
{
    name_for(number, false, path, size);
    if (mkdir(path, 0755) == 0) {
        return 0;
    }
    if (errno == EEXIST) {
        name_for(number, true, path, size);
        if (mkdir(path, 0755) == 0) {
            return 0;
        }
    }
    return error_set(err, LPM_EIO, "cannot make the directory \"%s\": %s", path, strerror(errno));
}

/* For lpm -t, which may be run by somebody who may not write here. */
static int make_temporary(char *path, size_t size, struct error *err)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(path, size, RUN "/" PREFIX "test-XXXXXX");
    if (mkdtemp(path)) {
        return 0;
    }
    snprintf(path, size, "%s/lpm-test-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    if (mkdtemp(path)) {
        return 0;
    }
    return error_set(err, LPM_EIO, "cannot make a temporary directory in \"" RUN "\" or \"%s\": %s",
                     tmp && tmp[0] ? tmp : "/tmp", strerror(errno));
}

/* Another instance that cleans up may take it between the two steps. */
static int make_and_lock(unsigned number, char *path, size_t size, int *lock, struct error *err)
{
    struct stat st;

    for (int i = 0; i < TRIES; i++) {
        int rc = number ? make(number, path, size, err) : make_temporary(path, size, err);
        if (rc) {
            return rc;
        }
        *lock = take_lock(AT_FDCWD, path);
        if (*lock >= 0 && fstat(*lock, &st) == 0 && st.st_nlink > 0) {
            return 0;
        }
        fd_close(lock);
        rmdir(path);
    }
    return error_set(err, LPM_EIO, "cannot lock the directory \"%s\"", path);
}

int master_rundir_make(const struct conf_core *core, unsigned number, char *path, size_t size, int *lock,
                       struct error *err)
{
    int rc;

    *lock = -1;
    if (mkdir(RUN, 0755) == 0) {
        chmod(RUN, 0755); /* the umask may have forbidden it: the workers' user has to look in */
    }
    rc = make_and_lock(number, path, size, lock, err);
    if (rc) {
        return rc;
    }
    if (fchmod(*lock, 0755) != 0) {
        rc =
            error_set(err, LPM_EIO, "cannot set the mode of the directory \"%s\": %s", path, strerror(errno));
    } else {
        rc = loader_copy(core, NULL, path, err);
    }
    if (rc) {
        master_rundir_remove(core, path, lock);
    }
    return rc;
}

void master_rundir_remove(const struct conf_core *core, const char *path, int *lock)
{
    loader_remove(core, path);
    if (*lock >= 0) {
        empty(*lock);
        rmdir(path);
    }
    fd_close(lock);
}
