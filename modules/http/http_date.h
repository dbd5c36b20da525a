/*
 * The present second as text, made once a second: for the Date header and for the access log.
 */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include <time.h>

#define HTTP_DATE_LEN 29 /* "Tue, 24 Nov 2026 08:13:51 GMT" */

struct http_date {
    time_t second; /* that the texts are of; 0: none */
    char header[HTTP_DATE_LEN + 1];
    char log[40]; /* "24/Nov/2026:08:13:51 +0000", in local time */
};

/* Brings the texts to `now`. */
void http_date_update(struct http_date *date, time_t now);

#endif
