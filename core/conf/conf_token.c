/*
 * The words and marks of a configuration text, after nginx: a quote opens only at the beginning of a word, and #
 * only there. Runs in the master and in the trial; refuses what cannot be a word.
 */
#include "conf/conf_token.h"

#include <string.h>

int conf_token_begin(struct conf_source *source, const char *name, const char *text, size_t len,
                     struct error *err)
{
    struct lpm_conf at = {.file = name, .line = 1};
    const char *nul = memchr(text, '\0', len);

    *source = (struct conf_source){.name = name, .text = text, .len = len, .line = 1};
    if (nul == NULL) {
        return LPM_OK;
    }
    for (const char *p = text; p < nul; p++) {
        at.line += *p == '\n';
    }
    return conf_tree_error(&at, err, "unexpected NUL byte");
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_mark(char c)
{
    return c == ';' || c == '{' || c == '}';
}

static void advance(struct conf_source *source)
{
    source->line += source->text[source->pos] == '\n';
    source->pos++;
}

static void skip_blanks(struct conf_source *source)
{
    bool comment = false;
    while (source->pos < source->len) {
        char c = source->text[source->pos];
        if (!comment && !is_blank(c) && c != '#') {
            return;
        }
        comment = (comment || c == '#') && c != '\n';
        advance(source);
    }
}

/* Steps over one character, or over a backslash and what it makes part of the word. */
static void advance_escaped(struct conf_source *source)
{
    bool escape = source->text[source->pos] == '\\';
    advance(source);
    if (escape && source->pos < source->len) {
        advance(source);
    }
}

static int quoted(struct conf_source *source, struct conf_token *token, struct error *err)
{
    struct lpm_conf at = {.file = source->name, .line = token->line};
    char quote = source->text[source->pos];

    advance(source);
    token->raw = source->text + source->pos;
    while (source->pos < source->len && source->text[source->pos] != quote) {
        advance_escaped(source);
    }
    if (source->pos == source->len) {
        return conf_tree_error(&at, err, "a quote is opened and never closed");
    }
    token->len = (size_t)(source->text + source->pos - token->raw);
    advance(source);
    if (source->pos < source->len) {
        char after = source->text[source->pos];
        if (!is_blank(after) && !is_mark(after)) {
            at.line = source->line;
            return conf_tree_error(&at, err, "unexpected \"%c\" right after a closing quote", after);
        }
    }
    return LPM_OK;
}

static void unquoted(struct conf_source *source, struct conf_token *token)
{
    token->raw = source->text + source->pos;
    while (source->pos < source->len && !is_blank(source->text[source->pos]) &&
           !is_mark(source->text[source->pos])) {
        advance_escaped(source);
    }
    token->len = (size_t)(source->text + source->pos - token->raw);
}

int conf_token_next(struct conf_source *source, struct conf_token *token, struct error *err)
{
    skip_blanks(source);
    *token = (struct conf_token){.type = CONF_TOKEN_END, .line = source->line, .raw = ""};
    if (source->pos == source->len) {
        return LPM_OK;
    }
    switch (source->text[source->pos]) {
    case ';':
        token->type = CONF_TOKEN_SEMICOLON;
        advance(source);
        return LPM_OK;
    case '{':
        token->type = CONF_TOKEN_OPEN;
        advance(source);
        return LPM_OK;
    case '}':
        token->type = CONF_TOKEN_CLOSE;
        advance(source);
        return LPM_OK;
    case '"':
    case '\'':
        token->type = CONF_TOKEN_WORD;
        return quoted(source, token, err);
    default:
        token->type = CONF_TOKEN_WORD;
        unquoted(source, token);
        return LPM_OK;
    }
}

size_t conf_token_text(const struct conf_token *token, char *room)
{
    static const char written[] = "\"'\\trn", meant[] = "\"'\\\t\r\n";
    size_t len = 0;

    for (size_t i = 0; i < token->len; i++) {
        char c = token->raw[i];
        if (c == '\\' && i + 1 < token->len) {
            const char *escape = strchr(written, token->raw[i + 1]);
            if (escape) {
                c = meant[escape - written];
                i++;
            }
        }
        room[len++] = c;
    }
    room[len] = '\0';
    return len;
}
