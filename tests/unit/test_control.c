/*
 * core/ipc/control: messages arrive whole, with their descriptor or without, and nothing else is taken.
 */
#include "ipc/control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

struct ends {
    int fds[2];
    int before; /* descriptors open before the pair was made */
};

static int make_ends(void **state)
{
    static struct ends ends;
    struct error err;

    ends.before = open_descriptors();
    *state = &ends;
    return control_pair(ends.fds, &err);
}

static int drop_ends(void **state)
{
    struct ends *ends = *state;

    close(ends->fds[0]);
    close(ends->fds[1]);
    return open_descriptors() == ends->before ? 0 : -1;
}

static const struct control ready = {CONTROL_WORKER_READY, 1, 2, 3, 4, -5, UINT64_MAX};

static void pair_is_private_and_non_blocking(void **state)
{
    struct ends *ends = *state;

    for (int i = 0; i < 2; i++) {
        assert_true(fcntl(ends->fds[i], F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(ends->fds[i], F_GETFD) & FD_CLOEXEC);
    }
}

static void both_directions(void **state)
{
    struct ends *ends = *state;
    struct control got;
    int fd = 7;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(control_receive(ends->fds[1 - i], &got, &fd), 0);
        assert_int_equal(control_send(ends->fds[i], &ready, -1), 0);
        memset(&got, 0, sizeof(got));
        assert_int_equal(control_receive(ends->fds[1 - i], &got, &fd), 1);
        assert_memory_equal(&got, &ready, sizeof(got));
        assert_int_equal(fd, -1);
    }
}

static void a_descriptor_goes_along(void **state)
{
    struct ends *ends = *state;
    struct control message = {.type = CONTROL_WORKER_NEW}, got;
    struct stat sent, received;
    int fd, given = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    assert_int_equal(control_send(ends->fds[0], &message, given), 0);
    assert_int_equal(control_receive(ends->fds[1], &got, &fd), 1);
    assert_true(fd >= 0 && fd != given);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fstat(given, &sent), 0);
    assert_int_equal(fstat(fd, &received), 0);
    assert_true(sent.st_ino == received.st_ino);
    close(given);
    close(fd);
}

/* Why a reload failed comes in a descriptor, if there was one; that it did not fail never does. */
static void a_descriptor_may_be_missing(void **state)
{
    struct ends *ends = *state;
    struct control failed = {.type = CONTROL_RELOADED, .status = LPM_ECONF},
                   took = {.type = CONTROL_RELOADED, .incarnation = 2}, got;
    int fd;

    assert_int_equal(control_send(ends->fds[0], &failed, -1), 0);
    assert_int_equal(control_receive(ends->fds[1], &got, &fd), 1);
    assert_int_equal(fd, -1);
    assert_int_equal(control_send(ends->fds[0], &failed, ends->fds[0]), 0);
    assert_int_equal(control_receive(ends->fds[1], &got, &fd), 1);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(control_send(ends->fds[0], &took, -1), 0);
    assert_int_equal(control_receive(ends->fds[1], &got, &fd), 1);
    assert_int_equal(control_send(ends->fds[0], &took, ends->fds[0]), 0);
    assert_int_equal(control_receive(ends->fds[1], &got, &fd), LPM_EPROTO);
}

/* Sends bytes with descriptors, as no honest peer would. */
static void send_raw(int channel, const void *bytes, size_t len, int fd_count)
{
    struct iovec part = {(void *)(uintptr_t)bytes, len};
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(4 * sizeof(int))] = {0};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    int given[4] = {channel, channel, channel, channel};

    if (fd_count > 0) {
        struct cmsghdr *cmsg;
        head.msg_control = room;
        head.msg_controllen = CMSG_SPACE((size_t)fd_count * sizeof(int));
        cmsg = CMSG_FIRSTHDR(&head);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN((size_t)fd_count * sizeof(int));
        memcpy(CMSG_DATA(cmsg), given, (size_t)fd_count * sizeof(int));
    }
    assert_int_equal(sendmsg(channel, &head, MSG_NOSIGNAL), len);
}

static const struct {
    const char *what;
    uint32_t type;
    size_t len;
    int fd_count;
} refused[] = {
    {"short", CONTROL_ONLINE, sizeof(struct control) - 1, 0},
    {"one byte", CONTROL_ONLINE, 1, 0},
    {"long", CONTROL_ONLINE, sizeof(struct control) + 1, 0},
    {"type 0", 0, sizeof(struct control), 0},
    {"type END", CONTROL_TYPE_END, sizeof(struct control), 0},
    {"a huge type", UINT32_MAX, sizeof(struct control), 0},
    {"a descriptor where none belongs", CONTROL_ONLINE, sizeof(struct control), 1},
    {"a log without its descriptor", CONTROL_LOG, sizeof(struct control), 0},
    {"no descriptor", CONTROL_WORKER_NEW, sizeof(struct control), 0},
    {"two descriptors", CONTROL_WORKER_NEW, sizeof(struct control), 2},
    {"four descriptors", CONTROL_WORKER_NEW, sizeof(struct control), 4},
    {"short, with a descriptor", CONTROL_WORKER_NEW, sizeof(struct control) - 1, 1},
    {"empty, with a descriptor", CONTROL_WORKER_NEW, 0, 1},
};

static void refused_without_a_leak(void **state)
{
    struct ends *ends = *state;

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct control bytes[2] = {{.type = refused[i].type}, {.type = 0}}, got;
        int before = open_descriptors(), fd = 7, rc;

        send_raw(ends->fds[1], bytes, refused[i].len, refused[i].fd_count);
        rc = control_receive(ends->fds[0], &got, &fd);
        if (rc != LPM_EPROTO || fd != -1 || open_descriptors() != before) {
            fail_msg("%s: %d, descriptor %d", refused[i].what, rc, fd);
        }
    }
}

static void a_full_channel_says_so(void **state)
{
    struct ends *ends = *state;
    struct control got;
    int sent = 0, received = 0, fd, rc;

    while ((rc = control_send(ends->fds[0], &ready, -1)) == 0) {
        sent++;
    }
    assert_int_equal(rc, LPM_EAGAIN);
    while ((rc = control_receive(ends->fds[1], &got, &fd)) == 1) {
        received++;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(received, sent);
    assert_true(sent > 10);
}

static void the_end(void **state)
{
    struct ends *ends = *state;
    struct control got;
    int fd;

    assert_int_equal(control_send(ends->fds[1], &ready, -1), 0);
    close(ends->fds[1]);
    ends->fds[1] = -1;
    assert_int_equal(control_send(ends->fds[0], &ready, -1), LPM_EIO);
    assert_int_equal(control_receive(ends->fds[0], &got, &fd), 1);
    assert_int_equal(control_receive(ends->fds[0], &got, &fd), LPM_EIO);
    assert_int_equal(control_receive(ends->fds[0], &got, &fd), LPM_EIO);
}

/* It dies with unread messages: the reset that Linux reports first must not hide what the dead one had sent. */
static void the_end_with_unread_messages(void **state)
{
    struct ends *ends = *state;
    struct control got;
    int fd, status;
    pid_t child;

    assert_int_equal(control_send(ends->fds[0], &ready, -1), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends->fds[0]);
        for (int i = 0; i < 3; i++) {
            control_send(ends->fds[1], &ready, -1);
        }
        raise(SIGKILL);
    }
    close(ends->fds[1]);
    ends->fds[1] = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(control_receive(ends->fds[0], &got, &fd), 1);
        assert_memory_equal(&got, &ready, sizeof(got));
    }
    assert_int_equal(control_receive(ends->fds[0], &got, &fd), LPM_EIO);
}

static void pair_says_why_it_cannot(void **state)
{
    struct error err = {""};
    struct rlimit old, none;
    int fds[2], probe, rc;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    probe = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
    rc = probe < 0 ? control_pair(fds, &err) : 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    if (probe == 0) { /* valgrind has limits of its own */
        close(fds[0]);
        close(fds[1]);
        skip();
    }
    assert_int_equal(rc, LPM_EIO);
    assert_non_null(strstr(err.text, strerror(EMFILE)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_ends, drop_ends)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pair_is_private_and_non_blocking),
        TEST(both_directions),
        TEST(a_descriptor_goes_along),
        TEST(a_descriptor_may_be_missing),
        TEST(refused_without_a_leak),
        TEST(a_full_channel_says_so),
        TEST(the_end),
        TEST(the_end_with_unread_messages),
        cmocka_unit_test(pair_says_why_it_cannot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
