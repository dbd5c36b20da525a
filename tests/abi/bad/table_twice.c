/* One directive twice. */
#include "bad.h"

static const lpm_directive rows[] = {{.name = "thing", .context = "main", .type = LPM_CONF_FLAG},
                                     {.name = "thing", .context = "main", .type = LPM_CONF_FLAG},
                                     {.name = NULL}};

LPM_MODULE(.name = "table_twice", .version = "1", .directives = rows, .request = bad_request);
