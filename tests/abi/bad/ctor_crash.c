/* Crashes while it is loaded. */
#include "bad.h"

#include <signal.h>

/* By the default action, which sanitizers change. */
__attribute__((constructor)) static void crash(void)
{
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

LPM_MODULE(.name = "ctor_crash", .version = "1", .request = bad_request);
