/*
 * The master's messages to a bus that reads slowly, or not at all, or is gone.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <lpm/module.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/master_control.h"

struct fixture {
    struct master master;
    struct conf_core core;
    struct master_generation generation;
    int bus; /* its end */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct error err;
    int fds[2];

    assert_non_null(f);
    assert_int_equal(control_pair(fds, &err), 0);
    log_init(&f->master.log, -1, LPM_LOG_NOTICE, "master");
    f->master.base = event_base_new();
    assert_non_null(f->master.base);
    f->generation.master = &f->master;
    f->generation.core = &f->core;
    f->generation.state = MASTER_ACTIVE;
    list_init(&f->generation.messages);
    assert_int_equal(master_control_open(&f->generation, fds[0]), 0);
    f->bus = fds[1];
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    master_control_close(&f->generation);
    if (f->bus >= 0) {
        close(f->bus);
    }
    event_base_free(f->master.base);
    free(f);
    return 0;
}

static int new_null(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* The lowest free descriptor: the same before and after says that none was lost. */
static int lowest_fd(void)
{
    int fd = new_null();
    close(fd);
    return fd;
}

/* Sends until a message has to wait, with a descriptor each. Returns how many were sent or wait. */
static uint32_t fill(struct fixture *f, uint32_t more)
{
    uint32_t count = 0, extra = 0;

    while (extra < more) {
        struct control message = {.type = CONTROL_WORKER_NEW, .incarnation = count++};
        master_control_send(&f->generation, &message, new_null());
        extra += f->generation.message_count > 0;
        assert_true(count < 100000);
    }
    return count;
}

static void test_order_is_kept(void **state)
{
    struct fixture *f = *state;
    int lowest = lowest_fd();
    uint32_t count = fill(f, 20), next = 0;
    struct control message;
    int fd;

    assert_int_equal(f->generation.message_count, 20);
    while (next < count) {
        int rc = control_receive(f->bus, &message, &fd);
        if (rc == 0) {
            event_base_loop(f->master.base, EVLOOP_ONCE);
            continue;
        }
        assert_int_equal(rc, 1);
        assert_int_equal(message.incarnation, next);
        assert_true(fd >= 0);
        close(fd);
        next++;
    }
    assert_int_equal(f->generation.message_count, 0);
    assert_int_equal(lowest_fd(), lowest);
}

static void test_close_drops_what_waits(void **state)
{
    struct fixture *f = *state;
    int lowest = lowest_fd();

    fill(f, 5);
    master_control_close(&f->generation);
    assert_int_equal(f->generation.message_count, 0);
    assert_int_equal(f->generation.control, -1);
    assert_true(lowest_fd() <= lowest);
}

static void test_bus_that_is_gone(void **state)
{
    struct fixture *f = *state;
    struct control message = {.type = CONTROL_WORKER_NEW};
    int lowest = lowest_fd();

    close(f->bus);
    f->bus = -1;
    lowest = lowest_fd();
    master_control_send(&f->generation, &message, new_null());
    assert_int_equal(f->generation.message_count, 0);
    assert_false(f->generation.control_over); /* that is for the reader to find */
    master_control_read(&f->generation);
    assert_true(f->generation.control_over);
    master_control_send(&f->generation, &message, new_null());
    assert_int_equal(lowest_fd(), lowest);
}

/* One that says more and more gets its turn, and then the others get theirs. */
static void test_messages_in_turns(void **state)
{
    struct fixture *f = *state;
    struct control message = {.type = CONTROL_SIGNAL_WANTED, .status = SIGUSR1};
    int sent = 0, left = 0, fd;

    while (control_send(f->bus, &message, -1) == 0) {
        sent++;
    }
    assert_true(sent > 128);
    event_base_loop(f->master.base, EVLOOP_ONCE);
    while (control_receive(f->generation.control, &message, &fd) == 1) {
        left++;
    }
    assert_int_equal(sent - left, 64);
}

/* A process in the place of a bus. */
static pid_t fork_bus(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    assert_true(pid > 0);
    return pid;
}

static void expect_killed(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static void test_bus_that_never_reads(void **state)
{
    struct fixture *f = *state;
    struct control message = {.type = CONTROL_WORKER_GONE};

    f->generation.bus = fork_bus();
    for (int i = 0; i < 10000; i++) {
        master_control_send(&f->generation, &message, -1);
    }
    expect_killed(f->generation.bus);
    assert_int_equal(f->generation.message_count, 4096);
}

static void test_rubbish(void **state)
{
    struct fixture *f = *state;

    f->generation.bus = fork_bus();
    assert_int_equal(write(f->bus, "x", 1), 1);
    master_control_read(&f->generation);
    expect_killed(f->generation.bus);
    assert_true(f->generation.control_over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_close_drops_what_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bus_that_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bus_that_never_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_messages_in_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rubbish, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
