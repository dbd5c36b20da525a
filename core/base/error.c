/*
 * Error texts. Runs in every process; cannot fail: what does not fit is cut.
 */
#include "base/error.h"

#include <stdio.h>

#include "base/text.h"

int error_set(struct error *err, int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    error_set_args(err, code, fmt, args);
    va_end(args);
    return code;
}

int error_set_args(struct error *err, int code, const char *fmt, va_list args)
{
    vsnprintf(err->text, sizeof(err->text), fmt, args);
    text_clean(err->text);
    return code;
}
