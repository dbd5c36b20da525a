/*
 * Figures as lines of JSON. Runs in the programs of tests/bench. Cannot fail, but for standard output.
 */
#include "figure.h"

#include <stdarg.h>
#include <stdio.h>

void figure_print(double value, const char *unit, const char *who, const char *fmt, ...)
{
    va_list args;

    fputs("{\"figure\": \"", stdout);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\", \"who\": \"%s\", \"value\": %.9g, \"unit\": \"%s\"}\n", who, value, unit);
    fflush(stdout);
}
