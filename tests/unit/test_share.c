/*
 * core/ipc/share: the memory of a channel is what each side may rely on, and a worker takes nothing else for it.
 */
#include "channel_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "base/clock.h"
#include "ipc/bell.h"
#include "ipc/rights.h"

/* The descriptor that comes next on the worker's socket. */
static int take_part(int socket)
{
    char bytes[64];
    struct iovec part = {bytes, sizeof(bytes)};
    struct rights_room room;
    struct msghdr head = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof(room)};
    int fd = -1;

    assert_int_equal(recvmsg(socket, &head, MSG_CMSG_CLOEXEC), 12);
    assert_int_equal(rights_take(&head, &fd), 0);
    assert_true(fd >= 0);
    return fd;
}

/* Neither a mapping nor write() nor a hole: only the bus writes there, through the mapping that it has. */
static void the_worker_cannot_write_to_the_buss(void **state)
{
    struct pair pair;
    int socket, fd;
    void *mapping;

    (void)state;
    assert_int_equal(set_up_bus(&pair, &socket), 0);
    fd = take_part(socket);
    assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
    mapping = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(mapping, MAP_FAILED);
    assert_int_equal(mprotect(mapping, 4096, PROT_READ | PROT_WRITE), -1);
    channel_want(pair.bus, true);
    assert_int_equal(((const struct share *)mapping)->wanted, 1);
    munmap(mapping, 4096);
    close(fd);
    close(socket);
    channel_free(pair.bus);
}

/* It must not be able to take it away under the bus's eyes. */
static void the_worker_cannot_shrink_its_own(void **state)
{
    struct pair pair;
    int socket, fd;

    (void)state;
    assert_int_equal(set_up_bus(&pair, &socket), 0);
    close(take_part(socket));
    fd = take_part(socket);
    assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
    close(fd);
    close(socket);
    channel_free(pair.bus);
}

static void ignore(int signal)
{
    (void)signal;
}

/* Signals interrupt the wait for it, and do not prolong it. */
static void it_does_not_come(void **state)
{
    struct sigaction act = {.sa_handler = ignore}, old;
    struct itimerval often = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
    struct error err = {""};
    struct channel *worker;
    uint64_t start = clock_now(), took;
    int fds[2];

    (void)state;
    assert_int_equal(channel_pair(fds, &err), 0);
    assert_int_equal(sigaction(SIGALRM, &act, &old), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    assert_int_equal(channel_new_worker(&worker, fds[1], 50, &err), LPM_ETIMEDOUT);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
    took = clock_now() - start;
    assert_true(took >= 50 * CLOCK_NS_PER_MS && took < 5 * CLOCK_NS_PER_S);
    assert_non_null(strstr(err.text, "50 ms"));
    /* The descriptor was closed. */
    assert_int_equal(send(fds[0], "x", 1, MSG_NOSIGNAL), -1);
    close(fds[0]);
}

static void the_bus_is_gone(void **state)
{
    struct error err = {""};
    struct channel *ch;
    int fds[2], before = open_descriptors();

    (void)state;
    assert_int_equal(channel_pair(fds, &err), 0);
    close(fds[0]);
    assert_int_equal(channel_new_worker(&ch, fds[1], 5000, &err), LPM_EIO);
    assert_true(err.text[0] != '\0');
    assert_int_equal(channel_pair(fds, &err), 0);
    close(fds[1]);
    err.text[0] = '\0';
    assert_int_equal(channel_new_bus(&ch, fds[0], &err), LPM_EIO);
    assert_true(err.text[0] != '\0');
    assert_int_equal(open_descriptors(), before);
}

/* What comes instead of the four parts, the last of them wrong in one way. */
static void what_is_no_part(void **state)
{
    static const struct {
        const char *what;
        uint32_t magic, version, part; /* to be added */
        size_t less, fd_count, size;
        int seals; /* taken away */
    } rows[] = {
        {"another magic", 1, 0, 0, 0, 1, 0, 0},
        {"another version", 0, 1, 0, 0, 1, 0, 0},
        {"another part", 0, 0, 1, 0, 1, 0, 0},
        {"a short one", 0, 0, 0, 1, 1, 0, 0},
        {"no descriptor", 0, 0, 0, 0, 0, 0, 0},
        {"two descriptors", 0, 0, 0, 0, 2, 0, 0},
        {"another size", 0, 0, 0, 0, 1, 4096, 0},
        {"no seal against shrinking", 0, 0, 0, 0, 1, 0, F_SEAL_SHRINK},
        {"no seal against growing", 0, 0, 0, 0, 1, 0, F_SEAL_GROW},
        {"no seal against writing", 0, 0, 0, 0, 1, 0, F_SEAL_FUTURE_WRITE},
        {"nothing wrong", 0, 0, 0, 0, 1, 0, 0},
    };
    const size_t last = sizeof(rows) / sizeof(rows[0]) - 1;

    (void)state;
    for (size_t i = 0; i <= last; i++) {
        int before = open_descriptors(), fds[2], given[2], rc;
        uint32_t text[] = {0x534d504c + rows[i].magic, 2 + rows[i].version, rows[i].part};
        struct error err = {""};
        struct channel *ch;

        assert_int_equal(channel_pair(fds, &err), 0);
        given[0] = given[1] = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_true(given[0] >= 0);
        assert_int_equal(fallocate(given[0], 0, 0, (off_t)(sizeof(struct share) + rows[i].size)), 0);
        assert_int_equal(fcntl(given[0], F_ADD_SEALS,
                               (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE) & ~rows[i].seals),
                         0);
        send_raw(fds[0], text, sizeof(text) - rows[i].less, given, rows[i].fd_count);
        /* Where nothing is wrong with the first, the second does not come. */
        rc = channel_new_worker(&ch, fds[1], 20, &err);
        close(given[0]);
        close(fds[0]);
        if (rc != (i == last ? LPM_ETIMEDOUT : LPM_EPROTO) || err.text[0] == '\0' ||
            open_descriptors() != before) {
            fail_msg("%s: %d", rows[i].what, rc);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worker_cannot_write_to_the_buss),
        cmocka_unit_test(the_worker_cannot_shrink_its_own),
        cmocka_unit_test(it_does_not_come),
        cmocka_unit_test(the_bus_is_gone),
        cmocka_unit_test(what_is_no_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
