/* Made for a later major version of the ABI. */
#include "bad.h"

extern LPM_EXPORT const lpm_module lpm_module_v2;
const lpm_module lpm_module_v2 = {BAD_HEAD, .name = "major", .version = "1", .request = bad_request};
