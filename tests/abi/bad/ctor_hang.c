/* Never comes back from being loaded. */
#include "bad.h"

#include <unistd.h>

__attribute__((constructor)) static void hang(void)
{
    for (;;) {
        pause();
    }
}

LPM_MODULE(.name = "ctor_hang", .version = "1", .request = bad_request);
