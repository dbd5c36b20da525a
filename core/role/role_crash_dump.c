/*
 * A report's parts. Runs in bus and worker, in signal handlers. The mapped files come from the kernel, in /proc/self/maps: what
 * the dynamic linker knows is behind its locks.
 */
#include "role/role_crash_dump.h"

#include <execinfo.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define MAPS_CHUNK 4096

/* Of backtrace(): this file's functions and what the kernel puts between them and the crash. */
#define OWN_FRAMES 8u

/* -- Signal, registers, request ----------------------------------------------------------------------- */

static void write_registers(struct role_crash_report *report, const ucontext_t *context)
{
    const void *from = NULL;
    size_t size = 0;

#if defined(__x86_64__)
    from = context->uc_mcontext.gregs;
    size = sizeof(context->uc_mcontext.gregs);
    report->pc = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
    report->sp = (uint64_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    from = context->uc_mcontext.regs;
    size = sizeof(context->uc_mcontext.regs);
    report->pc = context->uc_mcontext.pc;
    report->sp = context->uc_mcontext.sp;
#else
    (void)context;
#endif
    if (size > sizeof(report->registers)) {
        size = sizeof(report->registers);
    }
    if (size > 0) {
        memcpy(report->registers, from, size);
    }
    report->register_count = (uint32_t)(size / sizeof(report->registers[0]));
}

static void write_signal(struct role_crash_report *report, const struct role_crash_dump *dump,
                         const siginfo_t *info, const ucontext_t *context)
{
    report->number = info->si_signo;
    report->code = info->si_code;
    report->address = (uint64_t)(uintptr_t)info->si_addr;
    report->step = dump->step ? atomic_load_explicit(dump->step, memory_order_relaxed) : 0;
    write_registers(report, context);
}

static void write_request(struct role_crash_report *report, const struct frame *running)
{
    size_t len;

    report->id[0] = '\0';
    report->headers_len = 0;
    if (!running) {
        return;
    }
    memcpy(report->id, running->id, sizeof(report->id));
    len = running->headers.len < ROLE_CRASH_HEADERS ? running->headers.len : ROLE_CRASH_HEADERS;
    memcpy(report->headers, running->headers.data, len);
    report->headers_len = (uint32_t)len;
}

/* -- Stack -------------------------------------------------------------------------------------------- */

/* Where a call to address 0 came from no unwinder can tell; its return address is still where the call put it. */
static uint64_t caller_of_nothing(const struct role_crash_report *report)
{
#if defined(__x86_64__)
    return *(const uint64_t *)(uintptr_t)report->sp;
#elif defined(__aarch64__)
    return report->registers[30];
#else
    (void)report;
    return 0;
#endif
}

static void write_stack(struct role_crash_report *report)
{
    void *found[ROLE_CRASH_FRAMES + OWN_FRAMES];
    int count = backtrace(found, (int)(ROLE_CRASH_FRAMES + OWN_FRAMES));
    int first = 0;
    uint32_t n = 0;

    while (first < count && (uint64_t)(uintptr_t)found[first] != report->pc) {
        first++;
    }
    if (first == count) {
        first = 0; /* the unwinder did not get through to it: what it has, behind it */
        report->frames[n++] = report->pc;
    }
    for (int i = first; i < count && n < ROLE_CRASH_FRAMES; i++) {
        report->frames[n++] = (uint64_t)(uintptr_t)found[i];
    }
    if (report->pc == 0) {
        report->frames[0] = 0;
        report->frames[1] = caller_of_nothing(report);
        n = n < 2 ? 2 : n;
    }
    report->frame_count = n;
}

/* -- Objects ------------------------------------------------------------------------------------------ */

/* A line of the maps, and the file that it and those before it belong to. */
struct maps {
    char line[ROLE_CRASH_PATH + 128]; /* cut */
    size_t len;
    char path[ROLE_CRASH_PATH];
    uint64_t base;
};

static const char *read_hex(const char *text, uint64_t *value)
{
    for (*value = 0;; text++) {
        if (*text >= '0' && *text <= '9') {
            *value = *value << 4 | (uint64_t)(*text - '0');
        } else if (*text >= 'a' && *text <= 'f') {
            *value = *value << 4 | (uint64_t)(*text - 'a' + 10);
        } else {
            return text;
        }
    }
}

static bool holds_frame(const struct role_crash_report *report, uint64_t start, uint64_t end)
{
    for (uint32_t i = 0; i < report->frame_count; i++) {
        if (report->frames[i] >= start && report->frames[i] < end) {
            return true;
        }
    }
    return false;
}

static void note_object(struct role_crash_report *report, const struct maps *maps, uint64_t end)
{
    struct role_crash_object *object = &report->objects[report->object_count];

    if (report->object_count > 0 && object[-1].base == maps->base) {
        object[-1].end = end;
    } else if (report->object_count < ROLE_CRASH_OBJECTS) {
        object->base = maps->base;
        object->end = end;
        memcpy(object->path, maps->path, sizeof(object->path));
        report->object_count++;
    }
}

/* "start-end perms offset device inode path" */
static void take_line(struct role_crash_report *report, struct maps *maps)
{
    uint64_t start, end;
    const char *path;

    maps->line[maps->len] = '\0';
    path = strchr(maps->line, '/');
    if (!path) {
        return;
    }
    read_hex(read_hex(maps->line, &start) + 1, &end);
    if (strncmp(maps->path, path, sizeof(maps->path) - 1) != 0) {
        strncpy(maps->path, path, sizeof(maps->path) - 1);
        maps->base = start;
    }
    if (holds_frame(report, start, end)) {
        note_object(report, maps, end);
    }
}

static void write_objects(struct role_crash_report *report)
{
    struct maps maps = {.len = 0, .path = ""};
    char chunk[MAPS_CHUNK];
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    ssize_t n;

    report->object_count = 0;
    while (fd >= 0 && (n = read(fd, chunk, sizeof(chunk))) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            if (chunk[i] == '\n') {
                take_line(report, &maps);
                maps.len = 0;
            } else if (maps.len + 1 < sizeof(maps.line)) {
                maps.line[maps.len++] = chunk[i];
            }
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* -- All of it ---------------------------------------------------------------------------------------- */

static void show(struct role_crash_report *report, enum role_crash_part part)
{
    atomic_store_explicit(&report->written, part, memory_order_release);
}

void role_crash_dump_write(const struct role_crash_dump *dump, struct role_crash_report *report,
                           const siginfo_t *info, void *context)
{
    show(report, ROLE_CRASH_NOTHING);
    write_signal(report, dump, info, context);
    show(report, ROLE_CRASH_SIGNAL);
    write_request(report, dump->running ? *dump->running : NULL);
    show(report, ROLE_CRASH_REQUEST);
    write_stack(report);
    show(report, ROLE_CRASH_STACK);
    write_objects(report);
    show(report, ROLE_CRASH_ALL);
}
