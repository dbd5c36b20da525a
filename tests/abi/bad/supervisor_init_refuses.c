/* Loads well, and refuses to start in the bus. */
#include "bad.h"

static int refuse(lpm_supervisor *s)
{
    lpm_log(s, LPM_LOG_ERROR, "I will not serve");
    return -1;
}

LPM_MODULE(.name = "supervisor_init_refuses", .version = "1", .supervisor_init = refuse);
