/*
 * The handlers. Run in bus and worker, on a stack of their own, in a process that is broken: only calls that are safe in
 * signal handlers, no lock, no allocation. A second crash in the handler ends the process with what was written by then, and so
 * does a handler that does not come to its end.
 */
#include "role/role_crash.h"

#include <execinfo.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "role/role_crash_dump.h"

/* Unwinding takes some KiB of it, with sanitizers many. */
#define STACK_SIZE (256u * 1024)

/* A handler that takes longer does not come back: the stack that it walks is no stack, or somebody holds a lock. */
#define SECONDS_MAX 2u

static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

/* The one context of a signal handler: it is given none. */
static struct role_crash_dump dump;
static atomic_int dying; /* the thread that writes the report; 0 */

int role_crash_show_signal(void)
{
    return SIGRTMAX - 5; /* runtimes and debuggers take theirs from either end of the range */
}

static pid_t thread_id(void)
{
    return (pid_t)syscall(SYS_gettid);
}

static void set_action(int number, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction act = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

    if (handler) {
        act.sa_sigaction = handler;
    } else {
        act.sa_flags = 0;
        act.sa_handler = SIG_DFL;
    }
    /* What crashes in the handler finds its signal blocked, for which the kernel has but one answer. */
    sigfillset(&act.sa_mask);
    sigdelset(&act.sa_mask, SIGALRM);
    if (number == role_crash_show_signal()) {
        for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
            sigdelset(&act.sa_mask, deadly[i]);
        }
    }
    sigaction(number, &act, NULL);
}

/* Of the signal as it was, so that a core dump is that of the crash. It comes when the handler returns. */
static void die_of(int number, siginfo_t *info)
{
    set_action(number, NULL);
    if (syscall(SYS_rt_tgsigqueueinfo, getpid(), thread_id(), number, info) != 0) {
        syscall(SYS_tgkill, getpid(), thread_id(), number);
    }
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    int none = 0, self = (int)thread_id();

    if (getpid() != dump.owner) {
        die_of(number, info);
        return;
    }
    if (!atomic_compare_exchange_strong(&dying, &none, self)) {
        while (none != self) {
            pause(); /* another thread is at it, and its end will be that of all */
        }
        die_of(number, info); /* abort() in the handler */
        return;
    }
    set_action(SIGALRM, NULL);
    alarm(SECONDS_MAX);
    role_crash_dump_write(&dump, &dump.page->death, info, context);
    alarm(0); /* the kernel may need longer for the core */
    die_of(number, info);
}

static void on_show(int number, siginfo_t *info, void *context)
{
    struct role_crash_page *page = dump.page;

    if (getpid() != dump.owner) {
        return;
    }
    if (thread_id() != getpid()) {
        syscall(SYS_tgkill, getpid(), getpid(), number); /* handlers run in the first thread */
        return;
    }
    role_crash_dump_write(&dump, &page->slow, info, context);
    atomic_fetch_add(&page->shown, 1);
}

/* With a page before it that nobody may touch. */
static int make_stack(void)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, guard + STACK_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    stack_t stack = {.ss_size = STACK_SIZE};

    if (memory == MAP_FAILED) {
        return -1;
    }
    mprotect(memory, guard, PROT_NONE);
    stack.ss_sp = memory + guard;
    return sigaltstack(&stack, NULL);
}

void role_crash_init(struct role_crash_page *page, role_step_word *step, const struct frame *const *running)
{
    void *frames[2];

    if (!page || make_stack() != 0) {
        return;
    }
    dump = (struct role_crash_dump){.owner = getpid(), .page = page, .step = step, .running = running};
    backtrace(frames, 2); /* the first time it loads a library */
    for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
        set_action(deadly[i], on_crash);
    }
    set_action(role_crash_show_signal(), on_show);
}

void role_crash_end_requests(void)
{
    dump.running = NULL;
}

void role_crash_name(struct role_crash_page *page, size_t i, const char *name)
{
    if (page && i < ROLE_CRASH_MODULES) {
        strncpy(page->names[i], name, ROLE_CRASH_NAME - 1);
    }
}
