/* Refuses every configuration, and says why. */
#include "bad.h"

static int refuse(lpm_conf *root)
{
    const lpm_conf *node = lpm_conf_child(root, "load_module");
    return lpm_conf_error(node, "it is always wrong to load \"%s\"", lpm_conf_arg(node, 0).data);
}

LPM_MODULE(.name = "conf_refuses", .version = "1", .conf = refuse, .request = bad_request);
