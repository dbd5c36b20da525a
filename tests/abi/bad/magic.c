/* Not what LPM_MODULE() writes: a symbol of that name with something else behind it. */
#include "bad.h"

const lpm_module lpm_module_v1 = {.magic = 0xdeadbeef, .size = (uint32_t)sizeof(lpm_module)};
