/*
 * What tests of the configuration share: tables as the modules http and echo have them, and short ways to read.
 */
#ifndef CONF_FIXTURE_H
#define CONF_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_core.h"
#include "conf/conf_parse.h"

static const lpm_directive fixture_http[] = {
    {.name = "http", .context = "main", .type = LPM_CONF_BLOCK},
    {.name = "listen",
     .context = "http",
     .type = LPM_CONF_LISTEN,
     .flags = LPM_CONF_MANY | LPM_CONF_MUST,
     .words = "fast|proxy"},
    {.name = "access_log", .context = "http", .type = LPM_CONF_LOG},
    {.name = "location",
     .context = "http",
     .type = LPM_CONF_BLOCK,
     .flags = LPM_CONF_MANY,
     .args_min = 1,
     .args_max = 1},
    {.name = "handler", .context = "location", .type = LPM_CONF_HANDLER, .flags = LPM_CONF_MUST},
    {.name = "timeout", .context = "location", .type = LPM_CONF_TIME, .flags = LPM_CONF_MINUS_ONE},
    {.name = "retries", .context = "location", .type = LPM_CONF_NUMBER, .max = 1000},
    {.name = NULL},
};

/* Every directive of the core and of fixture_http, well written. */
static const char fixture_good[] = "# everything\n"
                                   "user         lpm;\n"
                                   "pid          run/lpm.pid;\n"
                                   "error_log    logs/error.log info;\n"
                                   "control      \"run/lpm.sock\";\n"
                                   "daemon       off;\n"
                                   "load_module  modules/lpm_http.so;\n"
                                   "load_module  'modules/lpm_echo.so';\n"
                                   "request {\n"
                                   "    timeout 30s; retries 1; poison_after 3;\n"
                                   "    queue_limit 100; queue_bytes 1m; queue_timeout 5s;\n"
                                   "}\n"
                                   "worker {\n"
                                   "    count auto; restarts -1; max_restarts_in_interval 2m;\n"
                                   "    concurrency 16; rss_limit 512m; ready_timeout 500ms;\n"
                                   "    drain_timeout 1h; kill_after 7; dispatch least_pressure;\n"
                                   "}\n"
                                   "worker images { handler echo; count 4; rss_limit 1g; }\n"
                                   "http {\n"
                                   "    listen 127.0.0.1:8080;\n"
                                   "    access_log logs/access.log;\n"
                                   "    location / { handler echo; timeout -1; retries 2; }\n"
                                   "}\n";

static inline struct conf_tree *fixture_parse(const char *text)
{
    struct error err = {.text = ""};
    struct conf_tree *tree;
    if (conf_parse_text(&tree, "a.conf", text, strlen(text), &err) != LPM_OK) {
        fail_msg("%s", err.text);
    }
    return tree;
}

/* The core's table, that of http and the handler echo. */
static inline int fixture_check(struct conf_tree *tree, bool http, struct error *err)
{
    static const struct conf_table tables[] = {{"core", conf_core_directives}, {"http", fixture_http}};
    static const char *const handlers[] = {"echo"};
    struct conf_schema schema = {
        .tables = tables, .table_count = http ? 2 : 1, .handlers = handlers, .handler_count = 1};
    return conf_schema_check(tree, &schema, err);
}

static inline void fixture_write(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

#endif
