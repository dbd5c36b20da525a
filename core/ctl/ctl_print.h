/*
 * Answers of the control socket, for people.
 */
#ifndef CTL_PRINT_H
#define CTL_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

void ctl_print_health(FILE *out, const json_t *answer);
void ctl_print_status(FILE *out, const json_t *answer);

/* What is in quarantine; nothing at all if that is nothing and `quiet`. */
void ctl_print_quarantine(FILE *out, const json_t *answer, bool quiet);

/* The data of an answer as it is; with `include`, its headers and an empty line before it. 0, or LPM_EPROTO. */
int ctl_print_response(FILE *out, const json_t *answer, int include);

#endif
