/*
 * Counts and ranges. Runs in the master and in the trial; pure.
 */
#include "conf/conf_count.h"

#include <lpm/module.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 9 /* no more of them fit into an int on any machine */

/* One end, of `len` bytes; `*is_auto`: it is `auto`. 0: it is neither that nor a number that may be. */
static unsigned read_end(const char *text, size_t len, unsigned limit, unsigned processors, bool *is_auto)
{
    unsigned long n;

    *is_auto = len == strlen("auto") && strncmp(text, "auto", len) == 0;
    if (*is_auto) {
        return processors < limit ? processors : limit;
    }
    if (len == 0 || len > DIGITS_MAX || strspn(text, "0123456789") < len) {
        return 0;
    }
    n = strtoul(text, NULL, 10);
    return n <= limit ? (unsigned)n : 0;
}

int conf_count_parse(struct conf_count *count, const char *text, unsigned limit, unsigned processors)
{
    const char *dots = strstr(text, "..");
    size_t len = dots ? (size_t)(dots - text) : strlen(text);
    const char *second = dots ? dots + 2 : text;
    bool min_auto, max_auto;

    count->min = read_end(text, len, limit, processors, &min_auto);
    count->max = read_end(second, strlen(second), limit, processors, &max_auto);
    if (count->min == 0 || count->max == 0) {
        return LPM_EINVAL;
    }
    if (count->max >= count->min) {
        return 0;
    }
    if (max_auto) {
        count->max = count->min;
    } else if (min_auto) {
        count->min = count->max;
    } else {
        return LPM_EINVAL;
    }
    return 0;
}
