/* Refuses every configuration, and does not say why. */
#include "bad.h"

static int refuse(lpm_conf *root)
{
    (void)root;
    return -77;
}

LPM_MODULE(.name = "conf_silent", .version = "1", .conf = refuse, .request = bad_request);
