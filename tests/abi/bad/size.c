/* A descriptor that is shorter than the one of its ABI. */
#include "bad.h"

const lpm_module lpm_module_v1 = {
    .magic = LPM_MODULE_MAGIC, .size = 64, .name = "size", .version = "1", .request = bad_request};
