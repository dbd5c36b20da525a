/* The symbol of ABI 1 with the magic of ABI 2. */
#include "bad.h"

const lpm_module lpm_module_v1 = {.magic = 0x324d504c, .size = (uint32_t)sizeof(lpm_module)};
