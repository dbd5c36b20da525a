/* A directive with a name that no configuration could write. */
#include "bad.h"

static const lpm_directive rows[] = {{.name = "two words", .context = "main", .type = LPM_CONF_STRING},
                                     {.name = NULL}};

LPM_MODULE(.name = "table_name", .version = "1", .directives = rows, .request = bad_request);
