/*
 * The event loop of bus and worker. Without edges a bell that nobody reads would ring for ever: libevent must not be talked
 * into another method by EVENT_NOEPOLL.
 */
#include "role/role_base.h"

struct event_base *role_base_new(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config && event_config_require_features(config, EV_FEATURE_ET) == 0 &&
        event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0) {
        base = event_base_new_with_config(config);
    }
    if (config) {
        event_config_free(config);
    }
    return base;
}
