/*
 * core/role/role_crash: what a process that crashes leaves in its page. Each crash is that of a child.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/os_shared.h"
#include "role/role_crash.h"

static int *volatile nowhere = (int *)16;
static const struct frame *running;

struct child {
    struct role_crash_page *page;
    role_step_word step;
};

/* The status of a child that runs `deed`. */
static int run(struct child *child, void (*deed)(struct child *))
{
    pid_t pid;
    int status;

    child->page = os_shared_new(sizeof(*child->page));
    assert_non_null(child->page);
    os_shared_show(child->page, sizeof(*child->page), true);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        role_crash_init(child->page, &child->step, &running);
        deed(child);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void done(struct child *child)
{
    os_shared_free(child->page, sizeof(*child->page));
}

static void crash(struct child *child)
{
    static const char headers[] = "xx";
    static struct frame frame = {.id = "0123", .headers = {headers, 2}};

    running = &frame;
    role_step_set(&child->step, ROLE_STEP_REQUEST, 3);
    *nowhere = 1;
}

static void test_report(void **state)
{
    struct child child = {.step = 0};
    int status = run(&child, crash);
    const struct role_crash_report *report = &child.page->death;

    (void)state;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_int_equal(report->written, ROLE_CRASH_ALL);
    assert_int_equal(report->number, SIGSEGV);
    assert_int_equal(report->code, SEGV_MAPERR);
    assert_int_equal(report->address, 16);
    assert_int_equal(report->step, ROLE_STEP_REQUEST << 16 | 3);
    assert_string_equal(report->id, "0123");
    assert_int_equal(report->headers_len, 2);
    assert_in_range(report->frame_count, 3, ROLE_CRASH_FRAMES);
#if defined(__x86_64__) || defined(__aarch64__)
    assert_int_equal(report->frames[0], report->pc);
#endif
    /* The first frame is in this program, at the place that the object tells. */
    assert_true(report->object_count >= 2);
    assert_true(report->frames[0] >= report->objects[0].base && report->frames[0] < report->objects[0].end);
    assert_non_null(strstr(report->objects[0].path, "test_role_crash"));
    done(&child);
}

/* The frame points where nothing is: what was written before it stands. */
static void crash_twice(struct child *child)
{
    static struct frame frame = {.headers = {.data = (const char *)16, .len = 2}};

    (void)child;
    running = &frame;
    *nowhere = 1;
}

static void test_second_crash(void **state)
{
    struct child child = {.step = 0};
    int status = run(&child, crash_twice);

    (void)state;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_int_equal(child.page->death.written, ROLE_CRASH_SIGNAL);
    assert_int_equal(child.page->death.address, 16);
    done(&child);
}

static void show(struct child *child)
{
    struct timespec pause = {0, 1000000};

    raise(role_crash_show_signal());
    for (int i = 0; i < 5000 && child->page->shown == 0; i++) {
        nanosleep(&pause, NULL);
    }
    raise(role_crash_show_signal());
}

static void test_show(void **state)
{
    struct child child = {.step = 0};
    int status = run(&child, show);

    (void)state;
    assert_int_equal(status, 0);
    assert_int_equal(child.page->shown, 2);
    assert_int_equal(child.page->slow.written, ROLE_CRASH_ALL);
    assert_true(child.page->slow.frame_count >= 3);
    assert_int_equal(child.page->death.written, ROLE_CRASH_NOTHING);
    done(&child);
}

/* In another thread, the signal is passed on to the first one. */
static void *show_from_thread(void *arg)
{
    struct child *child = arg;
    struct timespec pause = {0, 1000000};

    pthread_kill(pthread_self(), role_crash_show_signal());
    for (int i = 0; i < 5000 && child->page->shown == 0; i++) {
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void show_thread(struct child *child)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, show_from_thread, child) == 0) {
        pthread_join(thread, NULL);
    }
}

static void test_show_from_thread(void **state)
{
    struct child child = {.step = 0};

    (void)state;
    assert_int_equal(run(&child, show_thread), 0);
    assert_int_equal(child.page->shown, 1);
    done(&child);
}

/* Two threads crash at once: one report, whole, and the end. */
static void *crash_in_thread(void *arg)
{
    pthread_barrier_wait(arg);
    *nowhere = 1;
    return NULL;
}

static void crash_both(struct child *child)
{
    pthread_barrier_t barrier;
    pthread_t thread;

    (void)child;
    running = NULL;
    pthread_barrier_init(&barrier, NULL, 2);
    if (pthread_create(&thread, NULL, crash_in_thread, &barrier) == 0) {
        crash_in_thread(&barrier);
    }
}

static void test_two_threads(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct child child = {.step = 0};
        int status = run(&child, crash_both);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
        assert_int_equal(child.page->death.written, ROLE_CRASH_ALL);
        done(&child);
    }
}

/* What the process has forked is not the process. */
static void fork_and_crash(struct child *child)
{
    pid_t pid = fork();

    if (pid == 0) {
        crash(child);
    }
    waitpid(pid, NULL, 0);
}

static void test_child_of_the_process(void **state)
{
    struct child child = {.step = 0};

    (void)state;
    assert_int_equal(run(&child, fork_and_crash), 0);
    assert_int_equal(child.page->death.written, ROLE_CRASH_NOTHING);
    done(&child);
}

static void test_no_page(void **state)
{
    (void)state;
    role_crash_init(NULL, NULL, NULL);
    role_crash_name(NULL, 0, "x");
}

static void test_names(void **state)
{
    struct role_crash_page *page = os_shared_new(sizeof(*page));
    char name[200];

    (void)state;
    assert_non_null(page);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    role_crash_name(page, 0, "first");
    role_crash_name(page, ROLE_CRASH_MODULES - 1, name);
    role_crash_name(page, ROLE_CRASH_MODULES, name);
    assert_string_equal(page->names[0], "first");
    assert_int_equal(strlen(page->names[ROLE_CRASH_MODULES - 1]), ROLE_CRASH_NAME - 1);
    os_shared_free(page, sizeof(*page));
}

/* Valgrind takes a signal of a crash that is sent once more for a crash of its own. */
static bool signals_are_real(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return !preload || !strstr(preload, "vgpreload");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_show),
        cmocka_unit_test(test_show_from_thread),
        cmocka_unit_test(test_no_page),
        cmocka_unit_test(test_names),
    };
    const struct CMUnitTest crashes[] = {
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_second_crash),
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_child_of_the_process),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    return signals_are_real() ? failed + cmocka_run_group_tests(crashes, NULL, NULL) : failed;
}
