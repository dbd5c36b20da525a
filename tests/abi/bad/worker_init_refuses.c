/* Loads well, and refuses to start in each worker. */
#include "bad.h"

static int refuse(lpm_worker *w)
{
    lpm_log(w, LPM_LOG_ERROR, "I will not work");
    return -1;
}

LPM_MODULE(.name = "worker_init_refuses", .version = "1", .request = bad_request, .worker_init = refuse);
