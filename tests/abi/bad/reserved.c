/* Something in the word that has to be zero. */
#include "bad.h"

const lpm_module lpm_module_v1 = {.magic = LPM_MODULE_MAGIC,
                                  .size = (uint32_t)sizeof(lpm_module),
                                  .reserved = 1,
                                  .name = "reserved",
                                  .version = "1",
                                  .request = bad_request};
