/*
 * The words of a report. Runs in the role crash; pure.
 */
#include "crash/crash_text.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "crash/crash_read.h"

#define VALUE_MAX     128
#define TARGET_MAX    512
#define REGISTERS_ROW 6u

/* So far from the stack pointer, to either side, is the touch of a page that ended the stack. */
#define STACK_NEAR (64u * 1024)

/* -- Signal ------------------------------------------------------------------------------------------- */

static bool is_overflow(const struct role_crash_report *report)
{
    return report->number == SIGSEGV && report->code > 0 && report->sp != 0 &&
           report->address + STACK_NEAR >= report->sp && report->address < report->sp + STACK_NEAR;
}

static const char *about_address(const struct role_crash_report *report)
{
    if (is_overflow(report)) {
        return ", beside its stack pointer: the stack is used up";
    }
    if (report->number == SIGSEGV && report->code == SEGV_MAPERR) {
        return ", where nothing is mapped";
    }
    if (report->number == SIGSEGV && report->code == SEGV_ACCERR) {
        return ", which does not allow it";
    }
    return "";
}

const char *crash_text_signal(const struct role_crash_report *report, char *room, size_t size)
{
    char name[32];

    text_signal(report->number, name, sizeof(name));
    if (report->number == SIGABRT || report->code <= 0) {
        snprintf(room, size, "%s%s", name,
                 report->number == SIGABRT ? "" : ", which was sent and not caused by an instruction");
    } else {
        snprintf(room, size, "%s at address 0x%llx%s", name, (unsigned long long)report->address,
                 about_address(report));
    }
    return room;
}

/* -- Request ------------------------------------------------------------------------------------------ */

bool crash_text_is_secret(lpm_slice name)
{
    static const char *const words[] = {"auth", "cookie",  "key",       "token",   "secret",
                                        "pass", "session", "signature", "credent", "jwt"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(words[i]);
        for (size_t k = 0; k + len <= name.len; k++) {
            if (strncasecmp(name.data + k, words[i], len) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Appends bytes as text: `at` is the place behind what is there. Returns the new one. */
static size_t append(char *room, size_t size, size_t at, const char *bytes, size_t len)
{
    while (len > 0 && at + 1 < size) {
        room[at++] = *bytes ? *bytes : '?';
        bytes++;
        len--;
    }
    room[at] = '\0';
    return at;
}

/* The target, with the values of parameters that are secrets masked. */
static size_t append_target(char *room, size_t size, size_t at, lpm_slice target)
{
    const char *end = target.data + target.len, *from = target.data;
    bool query = false;

    while (from < end) {
        const char *stop = from, *equals = NULL;
        while (stop < end && *stop != '?' && *stop != '&') {
            equals = *stop == '=' && !equals ? stop : equals;
            stop++;
        }
        if (query && equals && crash_text_is_secret((lpm_slice){from, (size_t)(equals - from)})) {
            at = append(room, size, at, from, (size_t)(equals + 1 - from));
            at = append(room, size, at, "***", 3);
        } else {
            at = append(room, size, at, from, (size_t)(stop - from));
        }
        if (stop < end) {
            query = true;
            at = append(room, size, at, stop, 1);
            stop++;
        }
        from = stop;
    }
    return at;
}

static lpm_slice find(const struct role_crash_report *report, const char *name)
{
    lpm_header header;
    size_t cursor = 0;

    while (crash_read_header(report, &cursor, &header)) {
        if (lpm_slice_is(header.name, name)) {
            return header.value;
        }
    }
    return (lpm_slice){"", 0};
}

static lpm_slice cut(lpm_slice text, size_t max)
{
    return (lpm_slice){text.data, text.len < max ? text.len : max};
}

const char *crash_text_target(const struct role_crash_report *report, char *room, size_t size)
{
    lpm_slice method = cut(find(report, ":method"), VALUE_MAX);
    lpm_slice path = cut(find(report, ":path"), TARGET_MAX);
    size_t at = append(room, size, 0, method.data, method.len);

    if (method.len > 0 && path.len > 0) {
        at = append(room, size, at, " ", 1);
    }
    append_target(room, size, at, path);
    text_clean(room);
    return room;
}

const char *crash_text_header(const lpm_header *header, char *room, size_t size)
{
    lpm_slice value = cut(header->value, VALUE_MAX), name = cut(header->name, VALUE_MAX);
    size_t at;

    room[0] = '\0';
    if (name.len == 0 || name.data[0] == ':') {
        return room;
    }
    at = append(room, size, 0, name.data, name.len);
    at = append(room, size, at, ": ", 2);
    if (crash_text_is_secret(name)) {
        append(room, size, at, "***", 3);
    } else {
        at = append(room, size, at, value.data, value.len);
        append(room, size, at, "...", value.len < header->value.len ? 3 : 0);
    }
    text_clean(room);
    return room;
}

/* -- Registers ---------------------------------------------------------------------------------------- */

/* As the kernel's signal frame has them; NULL: of no interest. */
static const char *register_name(uint32_t i, char room[8])
{
#if defined(__x86_64__)
    static const char *const names[] = {"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rdi",
                                        "rsi", "rbp", "rbx", "rdx", "rax", "rcx", "rsp", "rip", "flags"};
    (void)room;
    return i < sizeof(names) / sizeof(names[0]) ? names[i] : NULL;
#else
    snprintf(room, 8, "x%u", i);
    return room;
#endif
}

const char *crash_text_registers(const struct role_crash_report *report, uint32_t *next, char *room,
                                 size_t size)
{
    size_t at = 0;
    uint32_t end = *next + REGISTERS_ROW;

    room[0] = '\0';
    for (; *next < end && *next < report->register_count; ++*next) {
        char own[8], text[32];
        const char *name = register_name(*next, own);
        if (!name) {
            *next = report->register_count;
            break;
        }
        snprintf(text, sizeof(text), "%s%s=%llx", at > 0 ? " " : "", name,
                 (unsigned long long)report->registers[*next]);
        at = append(room, size, at, text, strlen(text));
    }
    return room;
}
