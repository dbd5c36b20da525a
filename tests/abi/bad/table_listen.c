/* An address to listen on by a name that the master does not know. */
#include "bad.h"

static const lpm_directive rows[] = {{.name = "port", .context = "main", .type = LPM_CONF_LISTEN},
                                     {.name = NULL}};

LPM_MODULE(.name = "table_listen", .version = "1", .directives = rows, .request = bad_request);
