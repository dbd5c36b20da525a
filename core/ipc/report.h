/*
 * What the trial tells the master: records of one fixed form over a pipe, each written whole by one write(). The
 * last one says what the trial was doing when it died.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum report_type {
    REPORT_NONE = 0,  /* nothing was said yet */
    REPORT_LOAD,      /* about to load the module at place `module` */
    REPORT_CHECK,     /* all are loaded; about to check the configuration against their tables */
    REPORT_CONF_HOOK, /* about to run the conf hook of that module */
    REPORT_FAILED,    /* `text` says why; the last record */
    REPORT_OK,        /* all is well; the last record */
    REPORT_TYPE_END
};

struct report {
    uint32_t type;
    uint32_t module;
    char text[ERROR_TEXT_SIZE];
};

/* Reads in pieces until there is a record; zero it to begin. */
struct report_reader {
    struct report record;
    size_t have;
};

/* Trial: writes a record to `pipe`, a blocking descriptor. 0 or LPM_EIO (the master is gone). */
int report_write(int pipe, enum report_type type, uint32_t module, const char *text);

/* Master: the next record, from a non-blocking `pipe`: 1 with `*report`, its text NUL-terminated and clean; 0: none
 * now; LPM_EIO: the end; LPM_EPROTO: no record of this form, or of a module that is not among `module_count`. */
int report_read(int pipe, struct report_reader *reader, uint32_t module_count, struct report *report);

#endif
