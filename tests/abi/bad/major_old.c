/* Made for an earlier major version of the ABI. */
#include "bad.h"

extern LPM_EXPORT const lpm_module lpm_module_v0;
const lpm_module lpm_module_v0 = {BAD_HEAD, .name = "major_old", .version = "1", .request = bad_request};
