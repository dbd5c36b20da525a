/*
 * The step of a process. Pure but for the word itself; what a dying process left in there is checked.
 */
#include "role/role_step.h"

#include <stdio.h>

const char *role_step_text(uint32_t word, const struct conf_core *core, char *room, size_t size)
{
    static const char *const texts[ROLE_STEPS] = {
        [ROLE_STEP_LOAD] = "while it loaded",
        [ROLE_STEP_CONF] = "in the conf hook of",
        [ROLE_STEP_INIT] = "in the init hook of",
        [ROLE_STEP_READY] = "waiting to hear that it is ready from",
        [ROLE_STEP_ONLINE] = "in the online hook of",
        [ROLE_STEP_REQUEST] = "in the request hook of",
        [ROLE_STEP_RESPONSE] = "in a response callback of",
        [ROLE_STEP_CANCEL] = "in a cancel callback of",
        [ROLE_STEP_EVENT] = "in a listener to events of",
        [ROLE_STEP_DONE] = "in a done callback of",
        [ROLE_STEP_TAKE_OVER] = "in the take-over callback of",
        [ROLE_STEP_SOFT_KILL] = "in the soft_kill hook of",
        [ROLE_STEP_HARD_KILL] = "in the hard_kill hook of",
        [ROLE_STEP_TRIM] = "in the trim hook of",
    };
    uint32_t step = word >> 16, module = word & 0xffff;

    if (step == ROLE_STEP_NONE || step >= ROLE_STEPS || module >= core->module_count) {
        room[0] = '\0';
    } else {
        snprintf(room, size, ", %s module \"%s\"", texts[step], core->modules[module].path);
    }
    return room;
}
