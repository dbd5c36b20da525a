/* A choice without words to choose from. */
#include "bad.h"

static const lpm_directive rows[] = {{.name = "thing", .context = "main", .type = LPM_CONF_ENUM},
                                     {.name = NULL}};

LPM_MODULE(.name = "table_enum", .version = "1", .directives = rows, .request = bad_request);
