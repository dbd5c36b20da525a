/* A default that the directive itself would refuse. */
#include "bad.h"

static const lpm_directive rows[] = {
    {.name = "thing", .context = "main", .type = LPM_CONF_TIME, .value = "soon"}, {.name = NULL}};

LPM_MODULE(.name = "table_default", .version = "1", .directives = rows, .request = bad_request);
