/* A name of 65 letters. */
#include "bad.h"

const lpm_module lpm_module_v1 = {BAD_HEAD,
                                  .name = "a2345678901234567890123456789012345678901234567890123456789012345",
                                  .version = "1", .request = bad_request};
