/* A directive of a type that there is not. */
#include "bad.h"

static const lpm_directive rows[] = {{.name = "thing", .context = "main", .type = 99}, {.name = NULL}};

LPM_MODULE(.name = "table_type", .version = "1", .directives = rows, .request = bad_request);
