/*
 * The process's title: the kernel shows the bytes that argv and environ were put in at exec(). The place of these
 * is the process's, hence the two statics. Runs in every process; cannot fail.
 */
#include "base/title.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char *title_room;
static size_t title_size;

/* The end of the bytes that follow `end` without a gap. */
static char *follow(char **strings, char *end)
{
    for (; *strings; strings++) {
        if (*strings == end) {
            end += strlen(end) + 1;
        }
    }
    return end;
}

/* Puts copies in the place of the strings, in one block: no variable that is unset later is a leak. */
static bool copy_strings(char **strings)
{
    size_t size = 0;
    char *block;

    for (char **at = strings; *at; at++) {
        size += strlen(*at) + 1;
    }
    if (size == 0) {
        return true;
    }
    block = malloc(size);
    for (char **at = strings; block && *at; at++) {
        size_t len = strlen(*at) + 1;
        memcpy(block, *at, len);
        *at = block;
        block += len;
    }
    return block != NULL;
}

void title_init(int argc, char **argv)
{
    size_t count = 0;
    char *room, *end, **copy;

    if (argc < 1) {
        return;
    }
    room = argv[0];
    end = follow(environ, follow(argv, room));
    while (environ[count]) {
        count++;
    }
    copy = calloc(count + 1, sizeof(*copy));
    if (!copy) {
        return;
    }
    memcpy(copy, environ, count * sizeof(*copy));
    environ = copy;
    if (copy_strings(argv) && copy_strings(environ)) {
        title_room = room;
        title_size = (size_t)(end - room);
    }
}

void title_set(const char *fmt, ...)
{
    char text[128] = "lpm: ";
    va_list args;

    va_start(args, fmt);
    vsnprintf(text + 5, sizeof(text) - 5, fmt, args);
    va_end(args);
    prctl(PR_SET_NAME, text, 0, 0, 0);
    if (title_size > 1) {
        memset(title_room, 0, title_size);
        snprintf(title_room, title_size, "%s", text);
    }
}
