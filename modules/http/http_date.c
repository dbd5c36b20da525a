/*
 * The present second as text. Names are written here and not by strftime(), which speaks the locale's language.
 */
#include "http_date.h"

#include <stdio.h>

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Any int fits; the year of a clock gone mad is cut to four digits. */
static unsigned two(int n)
{
    return (unsigned)n % 100;
}

void http_date_update(struct http_date *date, time_t now)
{
    struct tm tm = {0};
    long offset;
    if (now == date->second) {
        return;
    }
    date->second = now;
    gmtime_r(&now, &tm);
    snprintf(date->header, sizeof(date->header), "%s, %02u %s %04u %02u:%02u:%02u GMT",
             days[(unsigned)tm.tm_wday % 7], two(tm.tm_mday), months[(unsigned)tm.tm_mon % 12],
             (unsigned)(tm.tm_year + 1900) % 10000, two(tm.tm_hour), two(tm.tm_min), two(tm.tm_sec));
    localtime_r(&now, &tm);
    offset = tm.tm_gmtoff / 60;
    snprintf(date->log, sizeof(date->log), "%02u/%s/%04u:%02u:%02u:%02u %c%02u%02u", two(tm.tm_mday),
             months[(unsigned)tm.tm_mon % 12], (unsigned)(tm.tm_year + 1900) % 10000, two(tm.tm_hour),
             two(tm.tm_min), two(tm.tm_sec), offset < 0 ? '-' : '+',
             two((int)(offset < 0 ? -offset : offset) / 60), two((int)(offset < 0 ? -offset : offset) % 60));
}
