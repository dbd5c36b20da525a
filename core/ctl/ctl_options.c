/*
 * lpmctl's command line. Fails with one line that names the word.
 */
#include "ctl/ctl_options.h"

#include <lpm/module.h>
#include <stdlib.h>
#include <string.h>

#include "lpm_auto_config.h"

static const struct ctl_command commands[] = {
    {"health", CTL_HEALTH, 0, 0, "", "the workers: memory, requests, state"},
    {"status", CTL_STATUS, 0, 0, "",
     "the server: version, generation, pools and their queues, what is in quarantine, why the last reload "
     "failed"},
    {"top", CTL_TOP, 0, 0, "[--count N]", "health, again each second, N times or until it is stopped"},
    {"enqueue", CTL_ENQUEUE, 1, 2, "HANDLER [DATA|-]",
     "a request for that module; prints the data of the answer and nothing else (-: data from standard "
     "input)"},
    {"broadcast", CTL_BROADCAST, 1, 2, "EVENT [DATA|-]", "an event for all workers, or those of --pool"},
    {"resize", CTL_RESIZE, 2, 2, "POOL N", "another number of workers; returns when it is so"},
    {"reload", CTL_RELOAD, 0, 0, "",
     "the configuration and the modules as they are now; returns when they serve, or with why they do not"},
    {"reopen", CTL_REOPEN, 0, 0, "", "the logs; returns when every process writes to the new files"},
    {"quarantine", CTL_QUARANTINE, 0, 1, "[list]",
     "requests that are refused because their like killed workers"},
    {"release", CTL_RELEASE, 1, 1, "FINGERPRINT|all", "let them be tried again"},
    {"soft-kill", CTL_SOFT_KILL, 0, 0, "[--no-wait]",
     "answer everything, then end; returns when the workers are gone"},
    {"hard-kill", CTL_HARD_KILL, 0, 0, "", "end at once"},
};

static const struct {
    const char *name, *value, *help;
} flags[] = {
    {"--socket", "PATH", "the control socket (default: what the configuration says)"},
    {"-c", "CONF", "the configuration that names it (default conf/lpm.conf)"},
    {"-p", "PREFIX", "what paths are relative to (default " LPM_PREFIX ")"},
    {"--json", NULL, "print the answer as it came, a line of JSON"},
    {"--timeout", "MS", "enqueue: how long to wait for the answer, -1: for ever"},
    {"--retries", "N", "enqueue: how often to start it again when its worker died"},
    {"--header", "NAME:VALUE", "enqueue: a header, may be given many times"},
    {"--include", NULL, "enqueue: print the answer's headers before the data"},
    {"--pool", "NAME", "broadcast: only to the workers of that pool"},
    {"--count", "N", "top: how often"},
    {"--no-wait", NULL, "soft-kill: return at once"},
    {"--help", NULL, "this text, or that of a command"},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int number(const char *name, const char *text, int64_t *value, struct error *err)
{
    char *end;

    *value = strtoll(text, &end, 10);
    if (end == text || *end != '\0') {
        return error_set(err, LPM_EINVAL, "option \"%s\" expects a number, found \"%s\"", name, text);
    }
    return 0;
}

static int add_header(struct ctl_options *o, const char *text, struct error *err)
{
    if (!strchr(text, ':') || o->header_count == CTL_HEADERS_MAX) {
        return error_set(err, LPM_EINVAL,
                         "option \"--header\" expects NAME:VALUE, at most %d times, found \"%s\"",
                         CTL_HEADERS_MAX, text);
    }
    o->headers[o->header_count++] = text;
    return 0;
}

static int set_flag(struct ctl_options *o, const char *name, const char *value, struct error *err)
{
    int64_t n = 0;
    int rc = 0;

    if (strcmp(name, "--socket") == 0) {
        o->socket = value;
    } else if (strcmp(name, "-c") == 0) {
        o->conf = value;
    } else if (strcmp(name, "-p") == 0) {
        o->prefix = value;
    } else if (strcmp(name, "--json") == 0) {
        o->json = true;
    } else if (strcmp(name, "--include") == 0) {
        o->include = true;
    } else if (strcmp(name, "--no-wait") == 0) {
        o->no_wait = true;
    } else if (strcmp(name, "--help") == 0) {
        o->help = true;
    } else if (strcmp(name, "--pool") == 0) {
        o->pool = value;
    } else if (strcmp(name, "--header") == 0) {
        rc = add_header(o, value, err);
    } else if ((rc = number(name, value, &n, err)) == 0) {
        if (strcmp(name, "--timeout") == 0) {
            o->timeout = n;
        } else if (strcmp(name, "--retries") == 0) {
            o->retries = n;
        } else {
            o->count = (long)n;
        }
    }
    return rc;
}

/* The option argv[*i]; its value may be the next word. */
static int parse_flag(struct ctl_options *o, int argc, char **argv, int *i, struct error *err)
{
    for (size_t k = 0; k < COUNT(flags); k++) {
        if (strcmp(argv[*i], flags[k].name) != 0) {
            continue;
        }
        if (!flags[k].value) {
            return set_flag(o, flags[k].name, NULL, err);
        }
        if (++*i == argc) {
            return error_set(err, LPM_EINVAL, "option \"%s\" needs a value: %s", flags[k].name,
                             flags[k].value);
        }
        return set_flag(o, flags[k].name, argv[*i], err);
    }
    return error_set(err, LPM_EINVAL, "unknown option \"%s\" (lpmctl --help lists them)", argv[*i]);
}

static int parse_word(struct ctl_options *o, const char *word, struct error *err)
{
    if (o->command) {
        if (o->arg_count == o->command->args_max) {
            return error_set(err, LPM_EINVAL, "\"%s\" takes no \"%s\": usage: lpmctl %s %s", o->command->name,
                             word, o->command->name, o->command->usage);
        }
        o->args[o->arg_count++] = word;
        return 0;
    }
    for (size_t i = 0; i < COUNT(commands); i++) {
        if (strcmp(commands[i].name, word) == 0) {
            o->command = &commands[i];
            return 0;
        }
    }
    return error_set(err, LPM_EINVAL, "unknown command \"%s\" (lpmctl --help lists them)", word);
}

int ctl_options_parse(struct ctl_options *o, int argc, char **argv, struct error *err)
{
    bool words_only = false;

    *o = (struct ctl_options){.prefix = LPM_PREFIX,
                              .conf = "conf/lpm.conf",
                              .timeout = INT64_MIN,
                              .retries = INT64_MIN,
                              .count = -1};
    for (int i = 1; i < argc; i++) {
        bool is_flag = !words_only && argv[i][0] == '-' && argv[i][1] != '\0';
        int rc = 0;
        if (is_flag && strcmp(argv[i], "--") == 0) {
            words_only = true;
        } else {
            rc = is_flag ? parse_flag(o, argc, argv, &i, err) : parse_word(o, argv[i], err);
        }
        if (rc != 0) {
            return rc;
        }
    }
    if (o->help) {
        return 0;
    }
    if (!o->command) {
        return error_set(err, LPM_EINVAL, "no command (lpmctl --help lists them)");
    }
    if (o->arg_count < o->command->args_min ||
        (o->command->what == CTL_QUARANTINE && o->arg_count > 0 && strcmp(o->args[0], "list") != 0)) {
        return error_set(err, LPM_EINVAL, "usage: lpmctl %s %s", o->command->name, o->command->usage);
    }
    return 0;
}

void ctl_options_help(FILE *out, const struct ctl_command *command)
{
    if (command) {
        fprintf(out, "usage: lpmctl %s %s\n%s\n", command->name, command->usage, command->help);
        return;
    }
    fprintf(out, "usage: lpmctl [option ...] command [argument ...]\n\n");
    for (size_t i = 0; i < COUNT(commands); i++) {
        fprintf(out, "  %s %s\n        %s\n", commands[i].name, commands[i].usage, commands[i].help);
    }
    fprintf(out, "\n");
    for (size_t i = 0; i < COUNT(flags); i++) {
        fprintf(out, "  %s%s%s\n        %s\n", flags[i].name, flags[i].value ? " " : "",
                flags[i].value ? flags[i].value : "", flags[i].help);
    }
    fprintf(out, "\nExit status: 0 done, 1 refused or failed, 2 wrong usage, 3 lpm cannot be reached.\n");
}
