/*
 * lpm's command line: from words to a struct. Pure.
 */
#ifndef MAIN_OPTIONS_H
#define MAIN_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

struct main_options {
    bool help;              /* -h: print main_options_help() and exit */
    bool version;           /* -v, -V: print main_options_version() and exit */
    bool build;             /* -V */
    bool test;              /* -t, -T: check the configuration and exit */
    bool dump;              /* -T: and print it */
    int signal;             /* -s: send it to the lpm that runs here, and exit; 0: none */
    const char *conf;       /* -c, relative to the prefix */
    const char *prefix;     /* -p */
    const char *directives; /* -g; NULL: none */
};

/*
 * Reads argv[1] to argv[argc - 1]; argv[argc] is NULL. Flags can stand together ("-tc file", "-tcfile"); of an
 * option that stands twice the last one counts. What does not stand has its default. Strings stay argv's.
 * 0 or LPM_EINVAL; the text says which word is wrong.
 */
int main_options_parse(struct main_options *options, int argc, char *const *argv, struct error *err);

/* The text of --help. */
void main_options_help(FILE *out);

/* "lpm/VERSION"; with `build` also the compiler and what configure was called with. */
void main_options_version(FILE *out, bool build);

#endif
