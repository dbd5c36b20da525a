/*
 * The step of a process: what is said of it, and that nonsense says nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "role/role_step.h"

static void test_texts(void **state)
{
    static const struct {
        enum role_step step;
        size_t module;
        const char *text;
    } rows[] = {
        {ROLE_STEP_NONE, 0, ""},
        {ROLE_STEP_LOAD, 0, ", while it loaded module \"a.so\""},
        {ROLE_STEP_INIT, 1, ", in the init hook of module \"b.so\""},
        {ROLE_STEP_READY, 1, ", waiting to hear that it is ready from module \"b.so\""},
        {ROLE_STEP_ONLINE, 0, ", in the online hook of module \"a.so\""},
        {ROLE_STEP_REQUEST, 1, ", in the request hook of module \"b.so\""},
        {ROLE_STEP_RESPONSE, 0, ", in a response callback of module \"a.so\""},
        {ROLE_STEP_CONF, 0, ", in the conf hook of module \"a.so\""},
        {ROLE_STEP_CANCEL, 0, ", in a cancel callback of module \"a.so\""},
        {ROLE_STEP_EVENT, 1, ", in a listener to events of module \"b.so\""},
        {ROLE_STEP_DONE, 0, ", in a done callback of module \"a.so\""},
        {ROLE_STEP_TAKE_OVER, 0, ", in the take-over callback of module \"a.so\""},
        {ROLE_STEP_SOFT_KILL, 0, ", in the soft_kill hook of module \"a.so\""},
        {ROLE_STEP_HARD_KILL, 0, ", in the hard_kill hook of module \"a.so\""},
        {ROLE_STEP_TRIM, 0, ", in the trim hook of module \"a.so\""},
        {ROLE_STEP_INIT, 2, ""},
        {ROLE_STEPS, 0, ""},
        {(enum role_step)0xffff, 0xffff, ""},
    };
    struct conf_module modules[] = {{.path = "a.so"}, {.path = "b.so"}};
    struct conf_core core = {.modules = modules, .module_count = 2};
    char room[200];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        role_step_word word = 0;
        role_step_set(&word, rows[i].step, rows[i].module);
        assert_string_equal(role_step_text(word, &core, room, sizeof(room)), rows[i].text);
    }
    role_step_set(NULL, ROLE_STEP_INIT, 0);
}

static void test_within_another(void **state)
{
    role_step_word word = 0;
    uint32_t before;

    (void)state;
    role_step_set(&word, ROLE_STEP_INIT, 3);
    before = role_step_enter(&word, ROLE_STEP_RESPONSE, 1);
    assert_int_equal(word, ROLE_STEP_RESPONSE << 16 | 1);
    role_step_back(&word, before);
    assert_int_equal(word, ROLE_STEP_INIT << 16 | 3);
    role_step_back(NULL, role_step_enter(NULL, ROLE_STEP_INIT, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_within_another)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
