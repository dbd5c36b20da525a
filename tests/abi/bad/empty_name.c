/* A name without a letter. */
#include "bad.h"

const lpm_module lpm_module_v1 = {BAD_HEAD, .name = "", .version = "1", .request = bad_request};
