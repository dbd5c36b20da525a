/* No name. */
#include "bad.h"

const lpm_module lpm_module_v1 = {BAD_HEAD, .version = "1", .request = bad_request};
