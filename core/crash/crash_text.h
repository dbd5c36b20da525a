/*
 * The words of a report. Pure; writes at most `size` bytes with the NUL, and returns `room`.
 */
#ifndef CRASH_TEXT_H
#define CRASH_TEXT_H

#include "role/role_crash.h"

/* "SIGSEGV at address 0x10, where nothing is mapped", "SIGABRT". */
const char *crash_text_signal(const struct role_crash_report *report, char *room, size_t size);

/* "GET /path?token=***": of the request's headers, or "" without. */
const char *crash_text_target(const struct role_crash_report *report, char *room, size_t size);

/* "host: example.org"; "" for one that is not to be shown. Values of headers whose name tells of a secret are "***", long ones
 * are cut. */
const char *crash_text_header(const lpm_header *header, char *room, size_t size);

/* Is that the name of something that nobody should read in a log? */
bool crash_text_is_secret(lpm_slice name);

/* "rax=0 rbx=7f00 ...": some of the registers, from `*next` (begin with 0); "" at the end. */
const char *crash_text_registers(const struct role_crash_report *report, uint32_t *next, char *room,
                                 size_t size);

#endif
