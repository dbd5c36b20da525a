/* A directive that stands nowhere. */
#include "bad.h"

static const lpm_directive rows[] = {{.name = "thing", .type = LPM_CONF_STRING}, {.name = NULL}};

LPM_MODULE(.name = "table_context", .version = "1", .directives = rows, .request = bad_request);
