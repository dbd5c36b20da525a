/*
 * The figures of a benchmark: each is a line of JSON on standard output, which tests/bench/run.sh collects.
 */
#ifndef FIGURE_H
#define FIGURE_H

/* What `who` has reached in the measurement that the format names. No name holds a quote or a backslash. */
void figure_print(double value, const char *unit, const char *who, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
