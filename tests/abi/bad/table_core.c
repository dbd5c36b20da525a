/* A directive that is the core's. */
#include "bad.h"

static const lpm_directive rows[] = {{.name = "pid", .context = "main", .type = LPM_CONF_STRING},
                                     {.name = NULL}};

LPM_MODULE(.name = "table_core", .version = "1", .directives = rows, .request = bad_request);
