/*
 * When to look on instead of sleeping. Runs in bus and workers; pure.
 */
#include "role/role_spin.h"

void role_spin_init(struct role_spin *spin, unsigned us, unsigned processors)
{
    *spin = (struct role_spin){.window = processors > 1 ? (uint64_t)us * 1000 : 0};
}

/* Something has happened: more may come. */
static bool begin(struct role_spin *spin, uint64_t now)
{
    if (spin->until != 0) {
        spin->misses = 0;
    }
    if (spin->skip > 0) {
        spin->skip--;
        return false;
    }
    spin->until = now + spin->window;
    return true;
}

static void miss(struct role_spin *spin)
{
    spin->until = 0;
    if (spin->misses < ROLE_SPIN_MISSES_MAX) {
        spin->misses++;
    }
    spin->skip = (1u << spin->misses) - 1;
}

bool role_spin_may_sleep(struct role_spin *spin, uint64_t events, uint64_t now)
{
    if (spin->window == 0) {
        return true;
    }
    if (events != spin->seen) {
        spin->seen = events;
        return !begin(spin, now);
    }
    if (spin->until != 0 && now >= spin->until) {
        miss(spin);
    }
    return spin->until == 0;
}
