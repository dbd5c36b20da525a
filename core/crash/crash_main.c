/*
 * The role that tells of a crash. A process of its own that nobody waits for: it has no rights, some seconds, and little memory. What
 * it wrote before it died is in the log.
 */
#include "crash/crash.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "crash/crash_read.h"
#include "crash/crash_symbol.h"
#include "crash/crash_text.h"
#include "loader/loader_build_id.h"

#define SECONDS_MAX   10u
#define CPU_MAX       5u
#define MEMORY_MAX    (512u << 20)
#define SHOW_LIMIT_NS (2 * CLOCK_NS_PER_S)
#define HEADERS_SHOWN 16
#define LINE_SIZE     1024

/* AddressSanitizer has terabytes mapped before it begins. */
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_LIMITED 0
#elif defined(__has_feature)
#define MEMORY_LIMITED (!__has_feature(address_sanitizer))
#else
#define MEMORY_LIMITED 1
#endif

struct crash {
    const struct role_start *start;
    const struct role_crash_job *job;
    struct role_crash_report report; /* safe */
    struct crash_symbol *symbols;
};

static void set_limits(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setrlimit(RLIMIT_CPU, &(struct rlimit){CPU_MAX, CPU_MAX});
    if (MEMORY_LIMITED) {
        setrlimit(RLIMIT_DATA, &(struct rlimit){MEMORY_MAX, MEMORY_MAX});
    }
    alarm(SECONDS_MAX);
}

#define say(c, ...) log_write(&(c)->start->log, level_of(c), __VA_ARGS__)

static int level_of(const struct crash *c)
{
    return c->job->kind == ROLE_CRASH_SLOW ? LPM_LOG_WARN : LPM_LOG_ERROR;
}

/* -- Objects ------------------------------------------------------------------------------------------ */

/* Which of the modules is it a copy of? The place, or -1. */
static long module_of(const struct crash *c, const struct role_crash_object *object)
{
    char path[ROLE_CRASH_PATH];
    size_t len = strlen(c->start->modules);
    unsigned place;

    crash_symbol_path(object, path, sizeof(path));
    if (strncmp(path, c->start->modules, len) != 0 || sscanf(path + len, "/%3u-", &place) != 1 ||
        place >= c->start->core->module_count) {
        return -1;
    }
    return (long)place;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What people know of it: a module's file as the configuration names it. */
static const char *name_of(const struct crash *c, const struct role_crash_object *object)
{
    long place = module_of(c, object);
    return base_name(place >= 0 ? c->start->core->modules[place].path : object->path);
}

static void tell_object(const struct crash *c, const struct role_crash_object *object)
{
    char path[ROLE_CRASH_PATH], id[LOADER_BUILD_ID_SIZE], name[ROLE_CRASH_NAME] = "?";
    long place = module_of(c, object);

    loader_build_id(crash_symbol_path(object, path, sizeof(path)), id);
    if (place < 0) {
        say(c, "in %s, build-id %s", object->path, id[0] ? id : "none");
        return;
    }
    if (place < (long)ROLE_CRASH_MODULES) {
        snprintf(name, sizeof(name), "%.*s", (int)sizeof(name) - 1, c->job->page->names[place]);
    }
    say(c, "in module \"%s\", %s, build-id %s", name[0] ? name : "?", c->start->core->modules[place].path,
        id[0] ? id : "none");
}

/* Whose code it was that lpm had not called: that of the module that comes first on the stack. */
static void find_owner(const struct crash *c, char *room, size_t size)
{
    for (uint32_t i = 0; i < c->report.frame_count; i++) {
        const struct role_crash_object *object = crash_read_object(&c->report, c->report.frames[i]);
        long place = object ? module_of(c, object) : -1;
        if (place >= 0) {
            snprintf(room, size, ", in a timer, an event or a thread of module \"%s\"",
                     c->start->core->modules[place].path);
            return;
        }
    }
}

/* -- Parts -------------------------------------------------------------------------------------------- */

static void tell_what(const struct crash *c)
{
    static const char *const kinds[] = {
        "it crashed: ", "it hung, and was ended for that: ", "its handler is slow, and runs on"};
    char how[160] = "", step[512];

    if (role_step_text(c->report.step, c->start->core, step, sizeof(step))[0] == '\0') {
        find_owner(c, step, sizeof(step));
    }
    if (c->job->kind != ROLE_CRASH_SLOW) {
        crash_text_signal(&c->report, how, sizeof(how));
    }
    say(c, "%s%s%s", kinds[c->job->kind], how, step);
}

static void tell_request(const struct crash *c)
{
    char target[768], text[512];
    lpm_header header;
    size_t cursor = 0;

    if (c->report.id[0] == '\0') {
        return;
    }
    crash_text_target(&c->report, target, sizeof(target));
    say(c, "it ran request %s%s%s", c->report.id, target[0] ? ": " : "", target);
    for (int shown = 0; shown < HEADERS_SHOWN && crash_read_header(&c->report, &cursor, &header);) {
        if (crash_text_header(&header, text, sizeof(text))[0]) {
            say(c, "header %s", text);
            shown++;
        }
    }
}

static void tell_frame(const struct crash *c, uint32_t i)
{
    uint64_t address = c->report.frames[i];
    const struct role_crash_object *object = crash_read_object(&c->report, address);
    char name[LINE_SIZE];

    crash_symbol_name(c->symbols, address, i > 0, name, sizeof(name));
    if (object) {
        say(c, "#%u 0x%llx %s%sin %s+0x%llx", i, (unsigned long long)address, name, name[0] ? " " : "",
            name_of(c, object), (unsigned long long)(address - object->base));
    } else {
        say(c, "#%u 0x%llx in no file", i, (unsigned long long)address);
    }
}

static void tell_registers(const struct crash *c)
{
    char text[LINE_SIZE];

    for (uint32_t next = 0; crash_text_registers(&c->report, &next, text, sizeof(text))[0];) {
        say(c, "%s", text);
    }
}

static void tell(struct crash *c)
{
    tell_what(c);
    tell_request(c);
    for (uint32_t i = 0; i < c->report.object_count; i++) {
        tell_object(c, &c->report.objects[i]);
    }
    c->symbols = c->job->plain ? NULL : crash_symbol_new(&c->report);
    for (uint32_t i = 0; i < c->report.frame_count; i++) {
        tell_frame(c, i);
    }
    crash_symbol_free(c->symbols);
    if (c->job->kind != ROLE_CRASH_SLOW) {
        tell_registers(c);
    }
}

/* -- Life --------------------------------------------------------------------------------------------- */

/* It was sent the signal a moment ago. */
static bool wait_until_shown(const struct role_crash_job *job)
{
    static const struct timespec pause = {0, 5000000};
    uint64_t end = clock_now() + SHOW_LIMIT_NS;

    while (atomic_load(&job->page->shown) == job->shown) {
        if (clock_now() > end) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

int crash_main(struct role_start *start)
{
    struct crash c = {.start = start, .job = start->job};
    char who[sizeof(c.job->who) + 16];

    snprintf(who, sizeof(who), "report on %s", c.job->who);
    if (role_enter(start, who, NULL, 0) != 0) {
        return ROLE_EXIT_FAILED;
    }
    set_limits();
    if (c.job->kind == ROLE_CRASH_SLOW && !wait_until_shown(c.job)) {
        say(&c, "its handler is slow, and it does not show where: it is stopped, or blocks the signal");
        return 0;
    }
    crash_read(&c.report, c.job->kind == ROLE_CRASH_SLOW ? &c.job->page->slow : &c.job->page->death);
    tell(&c);
    return 0;
}
