/*
 * lpm's command line. Runs in the process that the user started; fails with the word that is wrong.
 */
#include "main/main_options.h"

#include <lpm/module.h>
#include <signal.h>
#include <string.h>

#include "base/version.h"
#include "lpm_auto_config.h"

#define DEFAULT_CONF "conf/lpm.conf"

enum value {
    VALUE_NONE,
    VALUE_TEXT, /* may be empty */
    VALUE_PATH,
    VALUE_WORD /* one of main_signals[] */
};

struct option {
    char letter;
    enum value value;
    const char *name;     /* as --name; NULL: none */
    const char *argument; /* what --help calls the value; NULL without one */
    const char *text;
};

/* In the order of --help and of the man page. */
static const struct option main_option_table[] = {
    {'t', VALUE_NONE, NULL, NULL, "check the configuration and the modules, then exit"},
    {'T', VALUE_NONE, NULL, NULL, "the same, and print the configuration"},
    {'c', VALUE_PATH, NULL, "file",
     "the configuration file, relative to the prefix (default: " DEFAULT_CONF ")"},
    {'p', VALUE_PATH, NULL, "prefix",
     "the directory that all paths are relative to (default: " LPM_PREFIX ")"},
    {'g', VALUE_TEXT, NULL, "directives", "directives to read after the file, as if they stood at its end"},
    {'s', VALUE_WORD, NULL, "signal", "tell the lpm that runs with this configuration: "},
    {'v', VALUE_NONE, "version", NULL, "print the version, then exit"},
    {'V', VALUE_NONE, NULL, NULL, "print the version, the compiler and the configure arguments, then exit"},
    {'h', VALUE_NONE, "help", NULL, "print this text, then exit; -? does the same"},
};

static const struct {
    const char *word;
    int number;
} main_signals[] = {
    {"stop", SIGTERM},   /* at once */
    {"quit", SIGQUIT},   /* after the requests that have begun */
    {"reload", SIGHUP},  /* with the configuration and the modules as they are now */
    {"reopen", SIGUSR1}, /* the logs */
};

#define OPTION_COUNT (sizeof(main_option_table) / sizeof(main_option_table[0]))
#define SIGNAL_COUNT (sizeof(main_signals) / sizeof(main_signals[0]))
#define SEE_HELP     "(lpm -h lists them)"

/* "stop|quit" */
static const char *signal_words(char *room, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < SIGNAL_COUNT && used < size; i++) {
        used += (size_t)snprintf(room + used, size - used, "%s%s", i ? "|" : "", main_signals[i].word);
    }
    return room;
}

static const struct option *find_letter(char letter)
{
    if (letter == '?') {
        letter = 'h';
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (main_option_table[i].letter == letter) {
            return &main_option_table[i];
        }
    }
    return NULL;
}

static const struct option *find_name(const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (main_option_table[i].name && strcmp(main_option_table[i].name, name) == 0) {
            return &main_option_table[i];
        }
    }
    return NULL;
}

static int find_signal(int *number, const char *word, struct error *err)
{
    char words[128];

    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        if (strcmp(main_signals[i].word, word) == 0) {
            *number = main_signals[i].number;
            return 0;
        }
    }
    return error_set(err, LPM_EINVAL, "unknown signal \"%s\" after -s; expected %s", word,
                     signal_words(words, sizeof(words)));
}

/* `value`: "" for an option without one. */
static int apply(struct main_options *o, const struct option *option, const char *value, struct error *err)
{
    switch (option->letter) {
    case 'T':
        o->dump = true; /* fall through */
    case 't':
        o->test = true;
        break;
    case 'c':
        o->conf = value;
        break;
    case 'p':
        o->prefix = value;
        break;
    case 'g':
        o->directives = value;
        break;
    case 's':
        return find_signal(&o->signal, value, err);
    case 'V':
        o->build = true; /* fall through */
    case 'v':
        o->version = true;
        break;
    default: /* 'h' */
        o->help = true;
        break;
    }
    return 0;
}

/* Applies the option that the word at argv[*at] names; its value, if it has one, is `attached` or the next word. */
static int take(struct main_options *o, const struct option *option, const char *attached, char *const *argv,
                int *at, struct error *err)
{
    if (option->value == VALUE_NONE) {
        return apply(o, option, "", err);
    }
    const char *value = attached ? attached : argv[*at + 1];
    if (!value || (option->value == VALUE_PATH && *value == '\0')) {
        return error_set(err, LPM_EINVAL, "option \"-%c\" needs a value: -%c %s", option->letter,
                         option->letter, option->argument);
    }
    if (!attached) {
        ++*at;
    }
    return apply(o, option, value, err);
}

/* The word "-..." at argv[*at]. */
static int parse_letters(struct main_options *o, char *const *argv, int *at, struct error *err)
{
    for (const char *p = argv[*at] + 1; *p; p++) {
        const struct option *option = find_letter(*p);
        if (!option) {
            return error_set(err, LPM_EINVAL, "unknown option \"-%c\" " SEE_HELP, *p);
        }
        int rc = take(o, option, p[1] ? p + 1 : NULL, argv, at, err);
        if (rc < 0 || option->value != VALUE_NONE) {
            return rc;
        }
    }
    return 0;
}

int main_options_parse(struct main_options *options, int argc, char *const *argv, struct error *err)
{
    memset(options, 0, sizeof(*options));
    options->conf = DEFAULT_CONF;
    options->prefix = LPM_PREFIX;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        int rc;

        if (word[0] != '-' || word[1] == '\0') {
            return error_set(err, LPM_EINVAL, "unexpected word \"%s\"; expected options " SEE_HELP, word);
        }
        if (word[1] == '-') {
            const struct option *option = find_name(word + 2);
            if (!option) {
                return error_set(err, LPM_EINVAL, "unknown option \"%s\" " SEE_HELP, word);
            }
            rc = take(options, option, NULL, argv, &i, err);
        } else {
            rc = parse_letters(options, argv, &i, err);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

void main_options_help(FILE *out)
{
    char words[128], left[64];

    fprintf(out, "lpm runs native request handlers in supervised worker processes.\nusage: lpm");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &main_option_table[i];
        fprintf(out, " [-%c%s%s]", o->letter, o->argument ? " " : "", o->argument ? o->argument : "");
    }
    fprintf(out, "\n\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &main_option_table[i];
        snprintf(left, sizeof(left), "-%c%s%s%s%s", o->letter, o->name ? ", --" : "", o->name ? o->name : "",
                 o->argument ? " " : "", o->argument ? o->argument : "");
        fprintf(out, "  %-16s %s%s\n", left, o->text,
                o->value == VALUE_WORD ? signal_words(words, sizeof(words)) : "");
    }
}

void main_options_version(FILE *out, bool build)
{
    fprintf(out, "lpm/" LPM_VERSION "\n");
    if (build) {
        fprintf(out, "built by %s\nconfigure arguments: %s\n", LPM_COMPILER, LPM_CONFIGURE_ARGS);
    }
}
