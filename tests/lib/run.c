/*
 * Commands under a deadline. Runs in test programs. Output goes to memory files, not pipes, so that a daemon
 * that the command leaves behind keeps nobody waiting. Fails the test when the system refuses.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "wait.h"

/* All that is in the file, from its beginning (also of those in /proc, which have no size); closes it. */
static char *run_take_text(int fd)
{
    size_t len = 0, size = 4096;
    char *text = malloc(size);

    while (text != NULL) {
        ssize_t n = pread(fd, text + len, size - len - 1, (off_t)len);
        if (n <= 0) {
            text[len] = '\0';
            break;
        }
        len += (size_t)n;
        if (len + 1 == size) {
            char *larger = realloc(text, size *= 2);
            if (larger == NULL) {
                free(text);
            }
            text = larger;
        }
    }
    close(fd);
    return text;
}

static void run_child(const struct run *run, const char *const *argv, pid_t parent)
{
    int null = open("/dev/null", O_RDONLY);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || null < 0 || dup2(null, 0) < 0 || dup2(run->out_fd, 1) < 0 ||
        dup2(run->err_fd, 2) < 0) {
        _exit(126);
    }
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

void run_start(struct run *run, const char *const *argv)
{
    pid_t parent = getpid();

    memset(run, 0, sizeof(*run));
    run->out_fd = memfd_create("stdout", MFD_CLOEXEC);
    run->err_fd = memfd_create("stderr", MFD_CLOEXEC);
    if (run->out_fd < 0 || run->err_fd < 0) {
        fail_test("memfd_create: %s", strerror(errno));
    }
    run->pid = fork();
    if (run->pid == 0) {
        run_child(run, argv, parent);
    }
    run->pidfd = wait_open(run->pid);
    if (run->pid < 0 || run->pidfd < 0) {
        fail_test("cannot start %s: %s", argv[0], strerror(errno));
    }
}

void run_finish(struct run *run, int timeout_ms)
{
    if (!wait_gone(run->pidfd, wait_until(timeout_ms))) {
        run->late = true;
        kill(run->pid, SIGKILL);
    }
    waitpid(run->pid, &run->status, 0);
    close(run->pidfd);
    run->pid = 0;
    run->out = run_take_text(run->out_fd);
    run->err = run_take_text(run->err_fd);
    if (run->out == NULL || run->err == NULL) {
        fail_test("no memory");
    }
}

void run_command(struct run *run, int timeout_ms, const char *const *argv)
{
    run_start(run, argv);
    run_finish(run, timeout_ms);
}

int run_exit(const struct run *run)
{
    return !run->late && WIFEXITED(run->status) ? WEXITSTATUS(run->status) : -1;
}

void run_free(struct run *run)
{
    if (run->pid > 0) {
        run_finish(run, 0);
    }
    free(run->out);
    free(run->err);
    memset(run, 0, sizeof(*run));
}

char *run_read_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? NULL : run_take_text(fd);
}

size_t run_count(const char *in, const char *text)
{
    size_t count = 0;

    for (const char *at = in; (at = strstr(at, text)) != NULL; at += strlen(text)) {
        count++;
    }
    return count;
}
