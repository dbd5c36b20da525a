/*
 * Answers of the control socket, for people.
 */
#ifndef CTL_PRINT_H
#define CTL_PRINT_H

#include <jansson.h>
#include <stdio.h>

void ctl_print_health(FILE *out, const json_t *answer);
void ctl_print_status(FILE *out, const json_t *answer);

/* The data of an answer as it is; with `include`, its headers and an empty line before it. 0, or LPM_EPROTO. */
int ctl_print_response(FILE *out, const json_t *answer, int include);

#endif
