/*
 * docs/modules.md as a stranger follows it: its modules are compiled by the lines that it gives, its commands are run
 * as they stand, and what it says that they answer, they answer.
 *
 * A block of C with LPM_MODULE(.name = "x" is x.c, one of C++ x.cc, a program is what the next cc line makes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fail.h"
#include "server.h"

#define FENCE      "\n```"
#define PORT       "127.0.0.1:8080"
#define COMPILE_MS 120000

/* The next fenced block from `*at` on: its language and text, cut out in place; false at the end. */
static bool next_block(char **at, char **language, char **text)
{
    char *begin = strstr(*at, FENCE), *end;

    if (begin == NULL) {
        return false;
    }
    *language = begin + strlen(FENCE);
    *text = strchr(*language, '\n');
    assert_non_null(*text);
    *(*text)++ = '\0';
    end = strstr(*text, FENCE);
    assert_non_null(end);
    end[1] = '\0';
    *at = end + strlen(FENCE);
    return true;
}

/* The block's own name, out of its descriptor; false: it is no whole module. */
static bool module_name(const char *text, char *name, size_t size)
{
    static const char begin[] = "LPM_MODULE(.name = \"";
    const char *at = strstr(text, begin);

    if (at == NULL || (strncmp(text, "#include", 8) != 0 && strncmp(text, "#define LPM_NEEDS", 17) != 0)) {
        return false;
    }
    at += sizeof(begin) - 1;
    snprintf(name, size, "%.*s", (int)strcspn(at, "\""), at);
    return true;
}

/* Runs `script` in the server's prefix, where $HOME/lpm is what a checkout has. */
static void shell(const struct server *s, const char *script, struct run *run)
{
    char *text = NULL;

    assert_true(asprintf(&text, "set -e; cd '%s'; HOME=$PWD; export HOME; LPM=$HOME/lpm; export LPM\n%s",
                         s->prefix, script) > 0);
    run_command(run, COMPILE_MS, (const char *const[]){"sh", "-c", text, NULL});
    if (run_exit(run) != 0) {
        fail_test("docs/modules.md: this fails:\n%s\n%s%s", script, run->out, run->err);
    }
    free(text);
}

/* Each line of the block that compiles; `program` is the source of the first file that it names and that is no
 * module's. */
static size_t compile_lines(const struct server *s, char *block, const char *program)
{
    char *rest = NULL, name[64], line[512];
    size_t count = 0;

    for (char *l = strtok_r(block, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) {
        const char *out = strstr(l, " -o ");
        struct run run;
        if ((strncmp(l, "cc ", 3) != 0 && strncmp(l, "c++ ", 4) != 0) || out == NULL) {
            continue;
        }
        if (strstr(l, "-shared") == NULL) {
            assert_non_null(program);
            snprintf(name, sizeof(name), "%.*s.c", (int)strcspn(out + 4, " "), out + 4);
            server_write(s, name, program);
        }
        snprintf(line, sizeof(line), "%s", l);
        shell(s, line, &run);
        assert_string_equal(run.err, "");
        run_free(&run);
        count++;
    }
    return count;
}

/* Compiles all that the guide has; returns how many lines did. */
static size_t compile_guide(const struct server *s)
{
    char *guide = run_read_file(LPM_SOURCE_DIR "/docs/modules.md"), *at = guide, *language, *text;
    char *program = NULL;
    size_t count = 0;

    assert_non_null(guide);
    while (next_block(&at, &language, &text)) {
        bool cxx = strcmp(language, "c++") == 0;
        char name[64], file[80];
        if ((cxx || strcmp(language, "c") == 0) && module_name(text, name, sizeof(name))) {
            snprintf(file, sizeof(file), "%s.%s", name, cxx ? "cc" : "c");
            server_write(s, file, text);
        } else if (strcmp(language, "c") == 0 && strstr(text, "int main(")) {
            program = text;
        } else if (strcmp(language, "sh") == 0) {
            count += compile_lines(s, text, program);
        }
    }
    free(guide);
    return count;
}

static void link_checkout(const struct server *s)
{
    char path[5000];

    assert_int_equal(mkdir(server_path(s, "lpm", path, sizeof(path)), 0755), 0);
    assert_int_equal(symlink(LPM_SOURCE_DIR "/include", server_path(s, "lpm/include", path, sizeof(path))),
                     0);
    assert_int_equal(symlink(LPM_BUILD_DIR, server_path(s, "lpm/build", path, sizeof(path))), 0);
}

static void assert_answer(int port, const char *method, const char *path, const char *data,
                          const char *expected)
{
    struct response r;

    assert_int_equal(client_once(port, method, path, "", data, strlen(data), &r), 200);
    assert_string_equal(r.body, expected);
    client_forget(&r);
}

/* Every module of the guide is compiled by its line, loaded, and answers what the guide says. */
static void test_modules(void **state)
{
    struct server *s = *state;
    int port;

    link_checkout(s);
    assert_int_equal(compile_guide(s), 8);
    server_conf(s, "load_module modules/lpm_http.so;\n"
                   "load_module hello.so; load_module later.so; load_module greet.so;\n"
                   "load_module add.so; load_module shout.so; load_module count.so;\n"
                   "greeting \"good morning\";\n"
                   "http { listen 127.0.0.1:0; location /hello { handler hello; }\n"
                   "location /later { handler later; } location /greet { handler greet; }\n"
                   "location /add { handler add; } location /shout { handler shout; }\n"
                   "location /count { handler count; } }\n");
    server_start(s, NULL);
    port = server_port(s);
    assert_answer(port, "GET", "/hello", "", "hello\n");
    assert_answer(port, "GET", "/later", "", "one second later\n");
    assert_answer(port, "GET", "/greet", "", "good morning");
    assert_answer(port, "POST", "/add", "{\"a\": 1, \"b\": 2}", "{\"sum\":3.0}");
    assert_answer(port, "POST", "/shout", "shout it", "SHOUT IT");
    assert_answer(port, "GET", "/count", "", "1\n");
    assert_answer(port, "GET", "/count", "", "2\n");
    server_stop(s);
}

/* The guide's ruler gives up the worker that nobody needs, and takes SIGINT over. */
static void test_scaler(void **state)
{
    struct server *s = *state;

    link_checkout(s);
    compile_guide(s);
    server_conf(s, "load_module modules/lpm_http.so; load_module hello.so; load_module scaler.so;\n"
                   "worker { count 2; }\n"
                   "http { listen 127.0.0.1:0; location / { handler hello; } }\n");
    server_start(s, NULL);
    server_wait_log(s, "resized from 2 to 1", 10000);
    assert_answer(server_port(s), "GET", "/", "", "hello\n");
    server_signal(s, SIGINT);
    server_wait_log(s, "all is answered", 10000);
    assert_int_equal(server_wait_exit(s, SERVER_STOP_MS), 0);
    server_check_clean(s);
}

/* The conf hook of the guide refuses with its own words. */
static void test_conf_hook(void **state)
{
    struct server *s = *state;
    struct run run;

    link_checkout(s);
    compile_guide(s);
    server_conf(s, "load_module greet.so;\ngreeting %080d!;\n", 0);
    server_command(s, &run, "-t", NULL);
    assert_int_equal(run_exit(&run), 1);
    assert_non_null(strstr(run.err, "a greeting of at most 80 letters was expected in conf/lpm.conf:"));
    run_free(&run);
}

/* The program of the guide runs as its line says, and passes. */
static void test_test_program(void **state)
{
    struct server *s = *state;
    struct run run;

    link_checkout(s);
    compile_guide(s);
    shell(s, "./test_greet", &run);
    run_free(&run);
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* `text` with each PORT replaced, which the caller frees. */
static char *with_port(const char *text, int port)
{
    size_t size = strlen(text) + 64 + run_count(text, PORT) * 32, used = 0;
    char *out = malloc(size);

    assert_non_null(out);
    out[0] = '\0';
    for (const char *at; (at = strstr(text, PORT)) != NULL; text = at + strlen(PORT)) {
        used += (size_t)snprintf(out + used, size - used, "%.*s127.0.0.1:%d", (int)(at - text), text, port);
    }
    snprintf(out + used, size - used, "%s", text);
    return out;
}

/* "Five minutes", every command as it stands, but for the port. */
static void test_five_minutes(void **state)
{
    struct server *s = *state;
    char *guide = run_read_file(LPM_SOURCE_DIR "/docs/modules.md"), *at, *end, *language, *text;
    char script[8192], *ported;
    size_t used = 0;
    struct run run;

    link_checkout(s);
    assert_non_null(guide);
    at = strstr(guide, "\n## Five minutes\n");
    assert_non_null(at);
    end = strstr(at + 1, "\n## ");
    assert_non_null(end);
    *end = '\0';
    while (next_block(&at, &language, &text)) {
        bool source = strcmp(language, "c") == 0;
        used += (size_t)snprintf(script + used, sizeof(script) - used, "%s%s%s",
                                 source ? "cat > hello.c << 'END OF FILE'\n" : "", text,
                                 source ? "END OF FILE\n" : "");
    }
    snprintf(script + used, sizeof(script) - used, "wait\n");
    ported = with_port(script, free_port());
    shell(s, ported, &run);
    assert_string_equal(run.out, "hello\n");
    assert_non_null(strstr(run.err, "test is successful"));
    run_free(&run);
    free(ported);
    free(guide);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_modules), TEST(test_scaler), TEST(test_conf_hook),
                                       TEST(test_test_program), TEST(test_five_minutes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
