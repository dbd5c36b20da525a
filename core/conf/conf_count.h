/*
 * How many workers a pool has: a number, or a range in which it scales itself. Pure.
 */
#ifndef CONF_COUNT_H
#define CONF_COUNT_H

struct conf_count {
    unsigned min, max; /* equal: it does not scale */
};

/* "4", "auto", "1..8", "1..auto": from 1 to `limit` each; `auto` is `processors`, or `limit` if that is less, and in a range
 * at least the other end of it, so that one configuration is good on any machine. 0, or LPM_EINVAL. */
int conf_count_parse(struct conf_count *count, const char *text, unsigned limit, unsigned processors);

#endif
