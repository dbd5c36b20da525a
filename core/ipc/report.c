/*
 * The trial's records. Runs in trial and master. The trial runs code of modules, so what the master reads may be
 * anything.
 */
#include "ipc/report.h"

#include <errno.h>
#include <limits.h>
#include <lpm/module.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

_Static_assert(sizeof(struct report) <= PIPE_BUF, "a record is written whole");

int report_write(int pipe, enum report_type type, uint32_t module, const char *text)
{
    struct report report;
    ssize_t n;

    memset(&report, 0, sizeof(report));
    report.type = type;
    report.module = module;
    snprintf(report.text, sizeof(report.text), "%s", text);
    do {
        n = write(pipe, &report, sizeof(report));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(report) ? 0 : LPM_EIO;
}

static int check(const struct report *report, uint32_t module_count)
{
    if (report->type == REPORT_NONE || report->type >= REPORT_TYPE_END) {
        return LPM_EPROTO;
    }
    if ((report->type == REPORT_LOAD || report->type == REPORT_CONF_HOOK) && report->module >= module_count) {
        return LPM_EPROTO;
    }
    return 1;
}

int report_read(int pipe, struct report_reader *reader, uint32_t module_count, struct report *report)
{
    while (reader->have < sizeof(reader->record)) {
        ssize_t n = read(pipe, (char *)&reader->record + reader->have, sizeof(reader->record) - reader->have);
        if (n > 0) {
            reader->have += (size_t)n;
        } else if (n == 0) {
            return LPM_EIO;
        } else if (errno == EAGAIN) {
            return 0;
        } else if (errno != EINTR) {
            return LPM_EIO;
        }
    }
    reader->have = 0;
    *report = reader->record;
    report->text[sizeof(report->text) - 1] = '\0';
    text_clean(report->text);
    return check(report, module_count);
}
