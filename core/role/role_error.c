/*
 * Errors that not every module knows. Runs in the bus; pure.
 */
#include "role/role_error.h"

int role_error_for(const lpm_module *module, int code)
{
    return code == LPM_EPOISON && module->needs < 2 ? LPM_EWORKER : code;
}
