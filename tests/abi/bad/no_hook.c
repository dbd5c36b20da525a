/* Nothing that lpm could ever call but a kill. */
#include "bad.h"

static void kill_hook(lpm_worker *w)
{
    (void)w;
}

const lpm_module lpm_module_v1 = {BAD_HEAD, .name = "no_hook", .version = "1", .hard_kill = kill_hook};
