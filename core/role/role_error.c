/*
 * Errors that not every module knows. Runs in the bus; pure.
 */
#include "role/role_error.h"

int role_error_for(const lpm_module *module, int code)
{
    if (module->needs >= 2) {
        return code;
    }
    return code == LPM_EPOISON ? LPM_EWORKER : code == LPM_ESHED ? LPM_EFULL : code;
}
