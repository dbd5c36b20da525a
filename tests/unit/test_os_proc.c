/*
 * What /proc tells of a process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <lpm/module.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "os/os_proc.h"

#define PART ((size_t)32 * 1024 * 1024)

static void read_self(int fd, struct os_proc *proc)
{
    assert_int_equal(os_proc_read(fd, proc), 0);
    assert_true(proc->resident > 0);
    assert_true(proc->shared <= proc->resident);
}

static void grow(int flags, int64_t *resident, int64_t *shared)
{
    struct os_proc before, after;
    int fd = os_proc_open(getpid());

    assert_true(fd >= 0);
    read_self(fd, &before);
    char *part = mmap(NULL, PART, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    assert_true(part != MAP_FAILED);
    memset(part, 1, PART);
    read_self(fd, &after);
    assert_int_equal(munmap(part, PART), 0);
    fd_close(&fd);
    *resident = (int64_t)after.resident - (int64_t)before.resident;
    *shared = (int64_t)after.shared - (int64_t)before.shared;
}

/* 1 MiB of tolerance: the kernel counts in batches, and the rest of the process moves too. */
static void test_units(void **state)
{
    (void)state;
    int64_t resident, shared;

    grow(MAP_PRIVATE, &resident, &shared);
    assert_in_range(resident, PART - (1 << 20), PART + (1 << 20));
    assert_true(shared < 1 << 20);
    grow(MAP_SHARED, &resident, &shared);
    assert_in_range(resident, PART - (1 << 20), PART + (1 << 20));
    assert_in_range(shared, PART - (1 << 20), PART + (1 << 20));
}

static void test_dead(void **state)
{
    (void)state;
    struct os_proc proc;
    siginfo_t info;

    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    int fd = os_proc_open(pid);
    assert_true(fd >= 0);
    assert_int_equal(os_proc_read(fd, &proc), 0);
    assert_true(proc.resident > 0);

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(os_proc_read(fd, &proc), LPM_EIO); /* a zombie */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(os_proc_read(fd, &proc), LPM_EIO); /* gone */
    assert_int_equal(os_proc_open(pid), LPM_EIO);
    fd_close(&fd);
}

static void test_refused(void **state)
{
    (void)state;
    struct os_proc proc;
    int fds[2];

    assert_int_equal(os_proc_open(0), LPM_EIO);
    assert_int_equal(os_proc_open(-1), LPM_EIO);
    assert_int_equal(os_proc_read(-1, &proc), LPM_EIO);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(os_proc_read(fds[0], &proc), LPM_EIO);
    fd_close(&fds[0]);
    fd_close(&fds[1]);
}

/* Counted page by page: what is shared with the child of a fork is nobody's alone until one of them writes to it. */
static void test_private(void **state)
{
    uint64_t before, after, shared;
    int fds[2], status;
    char byte;

    (void)state;
    assert_int_equal(os_proc_private(getpid(), &before), 0);
    char *part = mmap(NULL, PART, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(part != MAP_FAILED);
    memset(part, 1, PART);
    assert_int_equal(os_proc_private(getpid(), &after), 0);
    assert_in_range(after - before, PART - (1 << 20), PART + (8 << 20)); /* a sanitizer has its own */
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        close(fds[1]);
        _exit(read(fds[0], &byte, 1) == 0 ? 0 : 1);
    }
    assert_int_equal(os_proc_private(getpid(), &shared), 0);
    assert_true(after - shared > PART - (1 << 20));
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(munmap(part, PART), 0);
    assert_int_equal(os_proc_private(child, &after), LPM_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_private),
        cmocka_unit_test(test_dead),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
