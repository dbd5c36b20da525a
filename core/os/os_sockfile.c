/*
 * The files of unix sockets. Runs in the master, possibly as root in a directory of somebody else: nothing is changed through
 * a path that may have come to mean something else. Fails with the system's word for it.
 */
#include "os/os_sockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <lpm/module.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define ANSWER_SIZE 16384

/* -- Who has it --------------------------------------------------------------------------------------- */

/* Does the kernel tell of a stream socket with that file? */
static bool is_about(const struct nlmsghdr *message, uint32_t inode)
{
    const struct unix_diag_msg *about = NLMSG_DATA(message);
    const char *at = (const char *)(about + 1), *end = (const char *)message + message->nlmsg_len;
    struct nlattr attribute;
    struct unix_diag_vfs file;

    while (about->udiag_type == SOCK_STREAM && end - at >= (ptrdiff_t)sizeof(attribute)) {
        memcpy(&attribute, at, sizeof(attribute));
        if (attribute.nla_len < sizeof(attribute) || attribute.nla_len > end - at) {
            return false;
        }
        if (attribute.nla_type == UNIX_DIAG_VFS && attribute.nla_len >= sizeof(attribute) + sizeof(file)) {
            memcpy(&file, at + sizeof(attribute), sizeof(file));
            return file.udiag_vfs_ino == inode;
        }
        at += NLA_ALIGN(attribute.nla_len);
    }
    return false;
}

/* Looks through one part of the kernel's answer. `*over`: there is no other. */
static bool read_answer(const char *answer, size_t len, uint32_t inode, bool *over)
{
    for (const struct nlmsghdr *m = (const void *)answer; NLMSG_OK(m, len); m = NLMSG_NEXT(m, len)) {
        if (m->nlmsg_type != SOCK_DIAG_BY_FAMILY) {
            *over = true; /* NLMSG_DONE, or an error */
            return false;
        }
        if (m->nlmsg_len >= NLMSG_LENGTH(sizeof(struct unix_diag_msg)) && is_about(m, inode)) {
            return true;
        }
    }
    return false;
}

/* Has a process a socket that is bound to that file, and neither listens nor is connected? To who connects it refuses like one
 * that nobody has. A kernel that does not say is taken to mean no. The device is not compared: what it is called differs
 * on some file systems. */
static bool is_starting(ino_t inode)
{
    struct {
        struct nlmsghdr head;
        struct unix_diag_req body;
    } request = {
        .head = {.nlmsg_len = sizeof(request),
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = AF_UNIX, .udiag_states = 1u << TCP_CLOSE, .udiag_show = UDIAG_SHOW_VFS}};
    _Alignas(struct nlmsghdr) char answer[ANSWER_SIZE];
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    bool over = fd < 0 || send(fd, &request, sizeof(request), 0) < 0;
    bool found = false;

    while (!over && !found) {
        ssize_t n = recv(fd, answer, sizeof(answer), 0);
        over = n <= 0;
        if (n > 0) {
            found = read_answer(answer, (size_t)n, (uint32_t)inode, &over);
        }
    }
    fd_close(&fd);
    return found;
}

/* Does connect() refuse there? It does so for other files than sockets, too. */
static bool refuses(int file)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool refused;

    snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d", file);
    refused = fd >= 0 && connect(fd, (const struct sockaddr *)&un, sizeof(un)) != 0 && errno == ECONNREFUSED;
    fd_close(&fd);
    return refused;
}

/* -- Files -------------------------------------------------------------------------------------------- */

static bool is_at(const char *path, const struct stat *file)
{
    struct stat st;
    return lstat(path, &st) == 0 && st.st_dev == file->st_dev && st.st_ino == file->st_ino;
}

/* By now something else may have that name; what was taken away wrongly, in the moment after the look, comes back. */
static bool remove_this(const char *path, const struct stat *dead)
{
    char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 32];

    snprintf(name, sizeof(name), "%s.%ld.dead", path, (long)getpid());
    if (!is_at(path, dead) || rename(path, name) != 0) {
        return false;
    }
    if (is_at(name, dead)) {
        return unlink(name) == 0;
    }
    if (renameat2(AT_FDCWD, name, AT_FDCWD, path, RENAME_NOREPLACE) != 0) {
        unlink(name);
    }
    return false;
}

bool os_sockfile_sweep(const char *path)
{
    int file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC); /* meanwhile no other file gets its inode */
    struct stat st;
    bool removed = file >= 0 && fstat(file, &st) == 0 && S_ISSOCK(st.st_mode) && refuses(file) &&
                   !is_starting(st.st_ino) && remove_this(path, &st);

    fd_close(&file);
    return removed;
}

int os_sockfile_bind(int fd, const struct sockaddr_un *un, mode_t mode, struct error *err)
{
    const struct sockaddr *address = (const struct sockaddr *)un;
    struct stat st;
    mode_t mask;
    int rc, number;

    if (fchmod(fd, mode) != 0) { /* the file gets the socket's */
        return error_set(err, LPM_EIO, "cannot set the mode of a socket: %s", strerror(errno));
    }
    mask = umask(0);
    rc = bind(fd, address, sizeof(*un));
    if (rc != 0 && errno == EADDRINUSE) {
        rc = os_sockfile_sweep(un->sun_path) ? bind(fd, address, sizeof(*un)) : rc;
        errno = EADDRINUSE;
    }
    number = errno;
    umask(mask);
    if (rc == 0) {
        return 0;
    }
    if (number == EADDRINUSE && lstat(un->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        return error_set(err, LPM_EIO, "a file that is no socket is there");
    }
    return error_set(err, LPM_EIO, "%s", strerror(number));
}
