/*
 * The words and marks of a configuration text. Pure.
 */
#ifndef CONF_TOKEN_H
#define CONF_TOKEN_H

#include "conf/conf_tree.h"

/* A text and how far it has been read. */
struct conf_source {
    const char *name; /* what errors call it */
    const char *text; /* not owned */
    size_t len, pos;
    int line; /* of `pos`, from 1 */
};

enum conf_token_type {
    CONF_TOKEN_END = 0,
    CONF_TOKEN_WORD,
    CONF_TOKEN_SEMICOLON,
    CONF_TOKEN_OPEN,
    CONF_TOKEN_CLOSE
};

struct conf_token {
    enum conf_token_type type;
    int line;
    const char *raw; /* WORD: as written, without its quotes; in the source's text */
    size_t len;
};

/* Begins with a text. Refuses one that holds a NUL byte. 0 or LPM_ECONF. */
int conf_token_begin(struct conf_source *source, const char *name, const char *text, size_t len,
                     struct error *err);

/* Reads the next token. 0, or LPM_ECONF for a quote that is not closed or that has something stuck to its end. */
int conf_token_next(struct conf_source *source, struct conf_token *token, struct error *err);

/* Writes what a WORD means to `room`, which holds token->len + 1 bytes: \" \' \\ \t \r \n are what they stand for,
 * any other backslash stands for itself. NUL-terminated; returns its length. */
size_t conf_token_text(const struct conf_token *token, char *room);

#endif
