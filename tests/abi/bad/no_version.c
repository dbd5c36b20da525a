/* No version. */
#include "bad.h"

const lpm_module lpm_module_v1 = {BAD_HEAD, .name = "no_version", .request = bad_request};
