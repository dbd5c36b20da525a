/*
 * The master: reads what main() parsed, forks trial, bus and workers, reaps and replaces them, and goes last.
 */
#ifndef MASTER_H
#define MASTER_H

#include "role/role.h"

/* How the other processes begin; given by main(), as roles do not know each other. */
struct master_roles {
    role_main trial, bus, worker;
    role_main crash; /* NULL: nobody tells of crashes */
};

struct master_arrival;

struct master_options {
    const char *conf_name;          /* as people wrote it; read again at a reload */
    const char *directives;         /* of the command line, behind it; NULL: none */
    struct conf_core *core;         /* what they say now; master_main() takes it over, with its tree */
    const char *program;            /* the file that was started, for an upgrade; NULL: none is possible */
    char *const *argv;              /* its words */
    const char *start_dir;          /* where it was started; NULL: that does not matter */
    struct master_arrival *arrival; /* from the master that is upgraded; NULL: there is none */
    int64_t step_limit_ms;          /* for each step of a trial: to load a module, to run its conf hook */
};

#define MASTER_STEP_LIMIT_MS 10000

/* Runs until the end. Returns lpm's exit status; failures before `online` are on stderr too, as "lpm: ...". */
int master_main(const struct master_options *options, const struct master_roles *roles);

/* lpm -t: the trial alone, without pid file, logs or listeners. 0, or LPM_ECONF or LPM_EIO with the text. */
int master_test(const struct master_options *options, const struct master_roles *roles, struct error *err);

#endif
