/*
 * What the master says about a trial that ended, by table.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <lpm/module.h>
#include <signal.h>
#include <string.h>

#include "master/master_trial.h"

#define EXITED(code) ((code) << 8)

static const struct {
    enum report_type last;
    uint32_t module;
    bool timed_out;
    int status;
    const char *text; /* NULL: well */
} rows[] = {
    {REPORT_OK, 0, false, EXITED(0), NULL},
    {REPORT_OK, 0, false, SIGSEGV, NULL}, /* all was said before */
    {REPORT_FAILED, 0, false, EXITED(1), "the reason"},
    {REPORT_LOAD, 0, false, SIGSEGV,
     "module \"modules/a.so\" died of SIGSEGV while it was loaded in conf/lpm.conf:5"},
    {REPORT_LOAD, 1, false, SIGABRT, "module \"modules/b.so\" died of SIGABRT while it was loaded"},
    {REPORT_LOAD, 0, false, EXITED(0),
     "module \"modules/a.so\" ended the process with exit status 0 while it was loaded in conf/lpm.conf:5"},
    {REPORT_LOAD, 0, true, SIGKILL,
     "module \"modules/a.so\" did not finish loading within 10 s in conf/lpm.conf:5"},
    {REPORT_CONF_HOOK, 0, false, EXITED(7),
     "module \"modules/a.so\" ended the process with exit status 7 in its conf hook in conf/lpm.conf:5"},
    {REPORT_CONF_HOOK, 0, true, SIGKILL,
     "module \"modules/a.so\" did not finish its conf hook within 10 s in conf/lpm.conf:5"},
    {REPORT_NONE, 0, false, EXITED(1),
     "the trial ended the process with exit status 1 before it loaded a module"},
    {REPORT_NONE, 0, true, SIGKILL, "the trial did nothing for 10 s before it loaded a module"},
    {REPORT_CHECK, 0, false, SIGKILL, "the trial died of SIGKILL while it checked the configuration"},
};

static void test_judge(void **state)
{
    static const struct lpm_conf node = {.name = "load_module", .file = "conf/lpm.conf", .line = 5};
    struct conf_module modules[] = {{.path = "modules/a.so", .node = &node}, {.path = "modules/b.so"}};
    struct conf_core core = {.modules = modules, .module_count = 2};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct master_trial_end end = {.last = {.type = rows[i].last, .module = rows[i].module},
                                       .timed_out = rows[i].timed_out,
                                       .status = rows[i].status,
                                       .step_limit_ms = 10000};
        struct error err = {.text = ""};

        strcpy(end.last.text, "the reason");
        assert_int_equal(master_trial_judge(&end, &core, &err), rows[i].text ? LPM_ECONF : 0);
        assert_string_equal(err.text, rows[i].text ? rows[i].text : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_judge)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
