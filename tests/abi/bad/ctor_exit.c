/* Ends the process, and claims success, while it is loaded. */
#include "bad.h"

#include <stdlib.h>

__attribute__((constructor)) static void leave(void)
{
    exit(0);
}

LPM_MODULE(.name = "ctor_exit", .version = "1", .request = bad_request);
