/*
 * lpmctl's command line. Pure.
 */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

#define CTL_HEADERS_MAX 100

struct ctl_options {
    const char *prefix, *conf; /* where to find the configuration, and in it the socket */
    const char *socket;        /* NULL: as configured */
    bool json, include, no_wait;
    int64_t timeout, retries; /* of enqueue; INT64_MIN: not given */
    const char *pool;
    const char *headers[CTL_HEADERS_MAX]; /* "name: value" */
    int header_count;
    long count; /* of top; -1: for ever */
    bool help;
    const struct ctl_command *command; /* NULL: help for all */
    const char *args[2];
    int arg_count;
};

enum ctl_what {
    CTL_HEALTH,
    CTL_STATUS,
    CTL_TOP,
    CTL_ENQUEUE,
    CTL_BROADCAST,
    CTL_RESIZE,
    CTL_RELOAD,
    CTL_REOPEN,
    CTL_QUARANTINE,
    CTL_RELEASE,
    CTL_SOFT_KILL,
    CTL_HARD_KILL
};

struct ctl_command {
    const char *name;
    enum ctl_what what;
    int args_min, args_max;
    const char *usage; /* what follows the name */
    const char *help;
};

/* 0, or LPM_EINVAL with the text. */
int ctl_options_parse(struct ctl_options *options, int argc, char **argv, struct error *err);

/* The whole help, or that of one command. */
void ctl_options_help(FILE *out, const struct ctl_command *command);

#endif
