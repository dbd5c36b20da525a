/*
 * What comes next. Runs in the master; pure. At most one generation is on its way to serve: so the one that arrives is
 * always the newest, and whoever serves then is to retire.
 */
#include "master/master_plan.h"

void master_plan_count(struct master_view *view, enum master_state state, bool is_reload)
{
    switch (state) {
    case MASTER_NEW:
        view->waiting++;
        view->coming++;
        break;
    case MASTER_TRIAL:
    case MASTER_STARTING:
        view->coming++;
        view->reloading += is_reload;
        break;
    case MASTER_FAILING:
        view->failing++;
        view->serving++;
        break;
    case MASTER_PROBATION:
    case MASTER_ACTIVE:
        view->serving++;
        break;
    case MASTER_DRAINING:
    case MASTER_RELEASED:
        view->leaving++;
        break;
    default:
        view->ending++;
    }
}

/* Nobody serves. What has run before is back soonest, unless it cannot start: then a reload may be what mends it. */
static enum master_plan plan_loss(const struct master_view *view)
{
    if (view->coming > view->waiting) {
        return view->reloading > 0 && !view->must_pause ? MASTER_ABANDON : MASTER_WAIT;
    }
    if (!view->online) {
        return MASTER_GIVE_UP;
    }
    if (view->reload_due && view->must_pause) {
        return MASTER_RELOAD;
    }
    if (view->waiting > 0) {
        return MASTER_WAIT;
    }
    return view->can_go_back ? MASTER_BACK : MASTER_AGAIN;
}

enum master_plan master_plan_next(const struct master_view *view)
{
    if (view->stopping) {
        unsigned all = view->coming + view->serving + view->leaving + view->ending;
        return all > 0 ? MASTER_WAIT : MASTER_END;
    }
    if (view->withdrawn) {
        return MASTER_WAIT;
    }
    if (view->serving == 0) {
        return plan_loss(view);
    }
    if (view->coming > 0) {
        return MASTER_WAIT;
    }
    if (view->failing > 0 && view->can_go_back) {
        return MASTER_BACK;
    }
    return view->reload_due && view->leaving < view->max_leaving ? MASTER_RELOAD : MASTER_WAIT;
}
