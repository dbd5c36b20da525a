/*
 * The process's title: the kernel shows the bytes that argv and environ were put in at exec(). The place of these
 * is the process's, hence the two statics. Runs in every process; cannot fail.
 */
#include "base/title.h"

#include <stdarg.h>
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

void title_init(int argc, char **argv)
{
    size_t count = 0;
    char **copy;
    char *end;

    if (argc < 1) {
        return;
    }
    end = follow(environ, follow(argv, argv[0]));
    while (environ[count]) {
        count++;
    }
    copy = calloc(count + 1, sizeof(*copy));
    if (!copy) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        copy[i] = strdup(environ[i]);
        if (!copy[i]) {
            return; /* a few bytes are lost, and titles stay as they are */
        }
    }
    environ = copy;
    title_room = argv[0];
    title_size = (size_t)(end - argv[0]);
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
