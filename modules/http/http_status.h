/*
 * Reason phrases of statuses. Pure.
 */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

/* "Not Found" for 404; "Unknown" for one without a phrase. */
const char *http_status_reason(int status);

#endif
