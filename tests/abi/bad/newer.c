/* Made for a later minor version of the ABI. */
#include "bad.h"

const lpm_module lpm_module_v1 = {.magic = LPM_MODULE_MAGIC,
                                  .size = (uint32_t)sizeof(lpm_module),
                                  .needs = 7,
                                  .name = "newer",
                                  .version = "1",
                                  .request = bad_request};
