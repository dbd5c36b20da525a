/*
 * Small work on strings. Runs in every process; cannot fail.
 */
#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define WORD_MAX 63

void text_clean(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t text_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];

    if (n > WORD_MAX || m > WORD_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= m; j++) {
        last[j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(change, least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[m];
}

const char *text_signal(int number, char *room, size_t size)
{
    const char *name = sigabbrev_np(number);
    if (name) {
        snprintf(room, size, "SIG%s", name);
    } else {
        snprintf(room, size, "signal %d", number);
    }
    return room;
}

const char *text_exit(int status, char *room, size_t size)
{
    char name[32];

    if (WIFSIGNALED(status)) {
        snprintf(room, size, "died of %s", text_signal(WTERMSIG(status), name, sizeof(name)));
    } else {
        snprintf(room, size, "exited with status %d", WEXITSTATUS(status));
    }
    return room;
}
