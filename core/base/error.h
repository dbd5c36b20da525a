/*
 * The text that goes with an error code, on its way up to whoever tells people.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>

#define ERROR_TEXT_SIZE 1024

struct error {
    char text[ERROR_TEXT_SIZE]; /* one line without its end; control characters are never in it */
};

/* Writes the text (cut to its room, control characters replaced) and returns `code`, for `return`. */
int error_set(struct error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int error_set_args(struct error *err, int code, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
