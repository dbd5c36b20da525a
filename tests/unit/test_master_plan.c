/*
 * What the master does next: by table, and by a million random events over the life of many generations.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "master/master_plan.h"

/* -- By table ----------------------------------------------------------------------------------------- */

#define ON .online = true, .max_leaving = 3

static const struct {
    struct master_view view;
    enum master_plan plan;
} rows[] = {
    /* the first start */
    {{.max_leaving = 3, .coming = 1}, MASTER_WAIT},
    {{.max_leaving = 3, .coming = 1, .reload_due = true}, MASTER_WAIT},
    {{.max_leaving = 3, .ending = 1}, MASTER_GIVE_UP},
    /* it serves */
    {{ON, .serving = 1}, MASTER_WAIT},
    {{ON, .serving = 1, .can_go_back = true}, MASTER_WAIT},
    {{ON, .serving = 1, .reload_due = true}, MASTER_RELOAD},
    {{ON, .serving = 1, .reload_due = true, .can_go_back = true}, MASTER_RELOAD},
    {{ON, .serving = 1, .reload_due = true, .coming = 1, .reloading = 1}, MASTER_WAIT},
    {{ON, .serving = 1, .reload_due = true, .leaving = 2, .ending = 5}, MASTER_RELOAD},
    {{ON, .serving = 1, .reload_due = true, .leaving = 3}, MASTER_WAIT},
    /* it fails */
    {{ON, .serving = 1, .failing = 1, .can_go_back = true}, MASTER_BACK},
    {{ON, .serving = 1, .failing = 1, .can_go_back = true, .reload_due = true}, MASTER_BACK},
    {{ON, .serving = 1, .failing = 1, .can_go_back = true, .leaving = 3}, MASTER_BACK},
    {{ON, .serving = 1, .failing = 1, .can_go_back = true, .coming = 1}, MASTER_WAIT},
    {{ON, .serving = 1, .failing = 1, .can_go_back = true, .coming = 1, .reloading = 1}, MASTER_WAIT},
    /* it is lost */
    {{ON, .ending = 1}, MASTER_AGAIN},
    {{ON}, MASTER_AGAIN},
    {{ON, .leaving = 3, .reload_due = true}, MASTER_AGAIN},
    {{ON, .ending = 1, .can_go_back = true}, MASTER_BACK},
    {{ON, .coming = 1}, MASTER_WAIT},
    {{ON, .coming = 1, .reloading = 1}, MASTER_ABANDON},
    {{ON, .coming = 1, .waiting = 1}, MASTER_WAIT},
    {{ON, .coming = 1, .waiting = 1, .reload_due = true}, MASTER_WAIT},
    /* and what has run before cannot start, or not yet */
    {{ON, .must_pause = true}, MASTER_AGAIN},
    {{ON, .must_pause = true, .can_go_back = true}, MASTER_BACK},
    {{ON, .must_pause = true, .reload_due = true}, MASTER_RELOAD},
    {{ON, .must_pause = true, .reload_due = true, .can_go_back = true, .leaving = 3}, MASTER_RELOAD},
    {{ON, .must_pause = true, .reload_due = true, .coming = 1, .waiting = 1}, MASTER_RELOAD},
    {{ON, .must_pause = true, .reload_due = true, .coming = 1}, MASTER_WAIT},
    {{ON, .must_pause = true, .coming = 1, .waiting = 1}, MASTER_WAIT},
    {{ON, .must_pause = true, .coming = 1, .reloading = 1}, MASTER_WAIT},
    {{ON, .must_pause = true, .coming = 1, .reloading = 1, .reload_due = true}, MASTER_WAIT},
    {{.max_leaving = 3, .must_pause = true, .reload_due = true, .ending = 1}, MASTER_GIVE_UP},
    {{ON, .must_pause = true, .reload_due = true, .withdrawn = true}, MASTER_WAIT},
    /* another master serves */
    {{ON, .withdrawn = true}, MASTER_WAIT},
    {{ON, .withdrawn = true, .leaving = 1, .reload_due = true}, MASTER_WAIT},
    {{ON, .withdrawn = true, .ending = 1, .can_go_back = true}, MASTER_WAIT},
    {{ON, .withdrawn = true, .stopping = true}, MASTER_END},
    /* lpm ends */
    {{ON, .stopping = true, .ending = 1}, MASTER_WAIT},
    {{ON, .stopping = true, .leaving = 1, .reload_due = true}, MASTER_WAIT},
    {{ON, .stopping = true, .serving = 1, .failing = 1, .can_go_back = true}, MASTER_WAIT},
    {{ON, .stopping = true, .coming = 1}, MASTER_WAIT},
    {{ON, .stopping = true, .reload_due = true}, MASTER_END},
    {{.stopping = true}, MASTER_END},
};

static void test_plan(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum master_plan plan = master_plan_next(&rows[i].view);
        if (plan != rows[i].plan) {
            fail_msg("row %zu: plan %d, expected %d", i, plan, rows[i].plan);
        }
    }
}

static void test_count(void **state)
{
    static const struct master_view expected = {
        .coming = 4, .reloading = 1, .waiting = 1, .serving = 3, .failing = 1, .leaving = 2, .ending = 2};
    struct master_view view = {.coming = 0};

    (void)state;
    for (int s = 0; s < MASTER_STATES; s++) {
        master_plan_count(&view, (enum master_state)s, false);
    }
    master_plan_count(&view, MASTER_TRIAL, true);
    assert_memory_equal(&view, &expected, sizeof(view));
}

/* -- At random ---------------------------------------------------------------------------------------- */

#define STEPS       1000000
#define MAX_LEAVING 3
#define GENERATIONS 64
#define PATIENCE    300 /* steps that a generation may drain, or be killed, before the environment ends it */

/* A generation as far as table and plan go; what it runs is a number. */
struct model {
    enum master_state state;
    bool is_reload;
    unsigned runs;
    unsigned patience;
};

struct world {
    struct model generations[GENERATIONS];
    size_t count;
    bool stopping, online, reload_wanted, start_failed;
    bool window_full;                 /* of the restarts */
    unsigned current, previous, last; /* what is run; previous 0: none */
    unsigned way_back_failed;         /* what it led to: it is not tried again */
    uint64_t random;
    size_t promoted, back, again, abandoned, ended, mended; /* how often: the test has to have seen all */
};

static unsigned random_below(struct world *w, unsigned n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (unsigned)(w->random >> 33) % n;
}

static bool must_pause(const struct world *w)
{
    return w->start_failed || (w->window_full && w->previous == 0);
}

static struct master_view look(const struct world *w)
{
    struct master_view view = {.stopping = w->stopping,
                               .online = w->online,
                               .can_go_back = w->previous != 0,
                               .reload_due = w->reload_wanted,
                               .must_pause = must_pause(w),
                               .max_leaving = MAX_LEAVING};

    for (size_t i = 0; i < w->count; i++) {
        master_plan_count(&view, w->generations[i].state, w->generations[i].is_reload);
    }
    return view;
}

static void happen(struct world *w, struct model *g, enum master_event event);

/* As the master does it, in master_fleet.c. */
static void promote(struct world *w, struct model *g)
{
    bool failing = look(w).failing > 0;

    for (size_t i = 0; i < w->count; i++) {
        if (&w->generations[i] != g) {
            happen(w, &w->generations[i], MASTER_ON_RETIRE);
        }
    }
    if (g->runs == w->previous) {
        w->previous = 0;
    } else if (g->runs != w->current && !failing) {
        w->previous = w->online ? w->current : 0;
    }
    w->current = g->runs;
    w->online = true;
    w->start_failed = false;
    w->promoted++;
    if (w->previous == 0) {
        happen(w, g, MASTER_ON_PROBATION_OVER);
    }
}

static void happen(struct world *w, struct model *g, enum master_event event)
{
    struct master_transition t = master_state_next(g->state, event);

    if (t.next != g->state) {
        g->patience = PATIENCE;
    }
    if (g->state == MASTER_STARTING && t.next == MASTER_KILLING && event != MASTER_ON_RETIRE &&
        !w->stopping && !g->is_reload && w->online) { /* by itself */
        assert_false(g->runs == w->way_back_failed);
        w->start_failed = true;
        if (g->runs == w->previous) {
            w->way_back_failed = w->previous;
            w->previous = 0;
        }
    }
    g->state = t.next;
    if (t.action == MASTER_DO_PROMOTE) {
        promote(w, g);
    } else if (t.action == MASTER_DO_PROVE) {
        w->previous = 0;
    }
}

static struct model *begin(struct world *w, bool is_reload, unsigned runs)
{
    struct model *g = &w->generations[w->count++];

    assert_true(w->count < GENERATIONS);
    *g = (struct model){.state = MASTER_NEW, .is_reload = is_reload, .runs = runs, .patience = PATIENCE};
    return g;
}

static void restart_world(struct world *w)
{
    w->stopping = w->online = w->reload_wanted = w->start_failed = w->window_full = false;
    w->current = w->previous = 0;
    happen(w, begin(w, false, ++w->last), MASTER_ON_START);
}

static void bury(struct world *w)
{
    for (size_t i = 0; i < w->count;) {
        if (w->generations[i].state == MASTER_GONE) {
            w->generations[i] = w->generations[--w->count];
        } else {
            i++;
        }
    }
}

static void abandon(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->generations[i].is_reload && w->generations[i].state <= MASTER_STARTING) {
            happen(w, &w->generations[i], MASTER_ON_RETIRE);
        }
    }
    w->reload_wanted = true;
    w->abandoned++;
}

/* One that waits gives way. */
static void reload(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->generations[i].state == MASTER_NEW) {
            happen(w, &w->generations[i], MASTER_ON_RETIRE);
            w->mended++;
        }
    }
    w->reload_wanted = false;
    happen(w, begin(w, true, ++w->last), MASTER_ON_START);
}

/* Does what the plan says until there is nothing to do. */
static void follow_plan(struct world *w)
{
    for (int turns = 0;; turns++) {
        struct master_view view;
        assert_true(turns < 10);
        bury(w);
        view = look(w);
        switch (master_plan_next(&view)) {
        case MASTER_WAIT:
            return;
        case MASTER_RELOAD:
            reload(w);
            break;
        case MASTER_AGAIN:
            begin(w, false, w->current);
            w->again++;
            break;
        case MASTER_BACK:
            begin(w, false, w->previous);
            w->back++;
            break;
        case MASTER_ABANDON:
            assert_false(must_pause(w)); /* for something that is there sooner only */
            abandon(w);
            break;
        case MASTER_GIVE_UP:
            w->stopping = true;
            break;
        case MASTER_END:
            w->ended++;
            restart_world(w);
            break;
        }
    }
}

/* What people do. */
static void command(struct world *w)
{
    unsigned choice = random_below(w, 50);
    enum master_event kill = choice ? MASTER_ON_SOFT_KILL : MASTER_ON_HARD_KILL;

    if (choice > 1) {
        w->reload_wanted = true;
        return;
    }
    w->stopping = true;
    for (size_t i = 0; i < w->count; i++) {
        happen(w, &w->generations[i], kill);
    }
}

/* Anything that may happen to a generation, whether its state expects it or not, but for what only the master says. */
static enum master_event accident(struct world *w)
{
    enum master_event event;

    do {
        event = (enum master_event)random_below(w, MASTER_EVENTS);
    } while (event == MASTER_ON_RETIRE || event == MASTER_ON_SOFT_KILL || event == MASTER_ON_HARD_KILL ||
             (event == MASTER_ON_BUS_DIED && random_below(w, 8) > 0));
    return event;
}

/* No generation takes for ever to come, or to go: the timers see to it. */
static void pass_time(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        struct model *g = &w->generations[i];
        bool settled =
            g->state == MASTER_PROBATION || g->state == MASTER_ACTIVE || g->state == MASTER_FAILING;
        if (settled || --g->patience > 0) {
            continue;
        }
        happen(w, g, MASTER_ON_RESTART);
        happen(w, g, MASTER_ON_TRIAL_FAILED);
        happen(w, g, MASTER_ON_START_FAILED);
        happen(w, g, MASTER_ON_DRAIN_TIMEOUT);
        happen(w, g, MASTER_ON_KILL_TIMEOUT);
        happen(w, g, MASTER_ON_EMPTY);
        assert_int_equal(g->state, MASTER_GONE);
    }
}

static void test_million_events(void **state)
{
    struct world w = {.random = 88172645463325252u};

    (void)state;
    restart_world(&w);
    for (int step = 0; step < STEPS; step++) {
        struct master_view before = look(&w), after;
        bool killed = false, commanded = random_below(&w, 20) == 0;

        if (commanded) {
            command(&w);
        } else {
            enum master_event event = accident(&w);
            killed = event == MASTER_ON_BUS_DIED;
            happen(&w, &w.generations[random_below(&w, (unsigned)w.count)], event);
        }
        after = look(&w);
        assert_true(after.serving <= 1);
        if (before.serving > 0 && after.serving == 0) {
            assert_true(killed || w.stopping); /* nothing else takes away the one that serves */
        }
        pass_time(&w);
        w.window_full = random_below(&w, 100) ? w.window_full : !w.window_full;
        follow_plan(&w);
        after = look(&w);
        assert_true(after.serving <= 1);
        assert_true(after.coming <= 1);
        assert_true(after.leaving <= MAX_LEAVING + 1); /* going back waits for nobody */
        if (!w.stopping) {
            assert_true(after.serving + after.coming >= 1);
        }
        if (w.online && !w.stopping && after.serving == 0 && must_pause(&w) && w.reload_wanted) {
            assert_int_equal(after.waiting, 0); /* a reload does not wait for what cannot start */
        }
    }
    assert_true(w.promoted > 1000 && w.back > 1000 && w.again > 1000 && w.abandoned > 100 && w.ended > 100 &&
                w.mended > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_million_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
