/*
 * Files to tree. Runs in the master, at start, at reload and for lpm -t; fails with the place of the fault, and
 * then leaves nothing behind.
 */
#include "conf/conf_parse.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "conf/conf_token.h"

#define INCLUDES_MAX 16
#define BLOCKS_MAX   64
#define WORDS_MAX    1024
#define FILE_MAX     (16 << 20)
#define TOTAL_MAX    (64 << 20)

/* A file that is being read, and the one that includes it. */
struct input {
    struct conf_source source;
    const struct input *from;
    dev_t dev;
    ino_t ino;
};

struct parser {
    struct conf_tree *tree;
    struct error *err;
    size_t total;    /* bytes read so far */
    unsigned blocks; /* open now */
    size_t word_count;
    lpm_slice words[WORDS_MAX + 1]; /* of one directive, its name first */
};

static int read_file(struct parser *p, const char *name, const struct lpm_conf *include,
                     const struct input *from);

static int no_memory(struct parser *p)
{
    return error_set(p->err, LPM_ENOMEM, "out of memory while reading the configuration");
}

static const char *copy(struct parser *p, const char *text, size_t len)
{
    char *room = conf_tree_alloc(p->tree, len + 1);
    return room ? memcpy(room, text, len) : NULL;
}

/* One word more for the directive that is being read. */
static int add_word(struct parser *p, const struct lpm_conf *at, const struct conf_token *token)
{
    char *room = conf_tree_alloc(p->tree, token->len + 1);
    if (room == NULL) {
        return no_memory(p);
    }
    if (p->word_count > WORDS_MAX) {
        return conf_tree_error(at, p->err, "directive \"%s\" has over %d words", p->words[0].data, WORDS_MAX);
    }
    p->words[p->word_count].len = conf_token_text(token, room);
    p->words[p->word_count].data = room;
    p->word_count++;
    return LPM_OK;
}

/* Reads words up to the mark that ends them. `at` is where the first one stands. */
static int read_words(struct parser *p, struct conf_source *source, struct conf_token *token,
                      const struct lpm_conf *at)
{
    int rc = LPM_OK;

    p->word_count = 0;
    while (rc == LPM_OK && token->type == CONF_TOKEN_WORD) {
        rc = add_word(p, at, token);
        if (rc == LPM_OK) {
            rc = conf_token_next(source, token, p->err);
        }
    }
    if (rc == LPM_OK && (token->type == CONF_TOKEN_CLOSE || token->type == CONF_TOKEN_END)) {
        rc = conf_tree_error(at, p->err, "directive \"%s\" is not terminated by \";\"", p->words[0].data);
    }
    return rc;
}

static struct lpm_conf *add_node(struct parser *p, struct lpm_conf *block, const struct lpm_conf *at)
{
    struct lpm_conf *node = conf_tree_alloc(p->tree, sizeof(*node));
    lpm_slice *args = conf_tree_alloc(p->tree, p->word_count * sizeof(*args));

    if (node == NULL || args == NULL) {
        return NULL;
    }
    *node = (struct lpm_conf){.name = p->words[0].data,
                              .args = args,
                              .arg_count = p->word_count - 1,
                              .file = at->file,
                              .line = at->line,
                              .parent = block,
                              .fd = -1};
    memcpy(args, p->words + 1, node->arg_count * sizeof(*args));
    if (block->last) {
        block->last->next = node;
    } else {
        block->first = node;
    }
    block->last = node;
    return node;
}

static int include_glob(struct parser *p, const char *pattern, const struct lpm_conf *at,
                        const struct input *from)
{
    glob_t found;
    int rc = glob(pattern, 0, NULL, &found);

    if (rc == GLOB_NOMATCH) {
        return LPM_OK;
    }
    if (rc != 0) {
        return rc == GLOB_NOSPACE ? no_memory(p)
                                  : conf_tree_error(at, p->err, "cannot search for \"%s\"", pattern);
    }
    for (size_t i = 0; rc == LPM_OK && i < found.gl_pathc; i++) {
        rc = read_file(p, found.gl_pathv[i], at, from);
    }
    globfree(&found);
    return rc;
}

/* What the file holds goes where the directive stands; the directive itself is no node. */
static int include(struct parser *p, struct lpm_conf *block, const struct conf_token *end,
                   const struct lpm_conf *at, const struct input *from)
{
    const char *name = p->words[1].data;

    if (end->type == CONF_TOKEN_OPEN) {
        return conf_tree_error(at, p->err, "directive \"include\" takes no \"{\"");
    }
    if (p->word_count == 1) {
        return conf_tree_error(at, p->err, "\"include\" takes one argument, found none");
    }
    if (p->word_count > 2) {
        return conf_tree_error(at, p->err, "\"include\" takes one argument, found %zu", p->word_count - 1);
    }
    /* The block rides in a node that only this call knows. */
    struct lpm_conf where = *at;
    where.parent = block;
    return strpbrk(name, "*?[") ? include_glob(p, name, &where, from) : read_file(p, name, &where, from);
}

/* Reads one directive; returns the block that the next one stands in through `block`. */
static int read_directive(struct parser *p, struct input *in, struct conf_token *token,
                          struct lpm_conf **block)
{
    struct lpm_conf at = {.file = in->source.name, .line = token->line};
    int rc = read_words(p, &in->source, token, &at);

    if (rc != LPM_OK) {
        return rc;
    }
    if (lpm_slice_is(p->words[0], "include")) {
        return include(p, *block, token, &at, in);
    }
    struct lpm_conf *node = add_node(p, *block, &at);
    if (node == NULL) {
        return no_memory(p);
    }
    if (token->type == CONF_TOKEN_OPEN) {
        if (p->blocks == BLOCKS_MAX) {
            return conf_tree_error(&at, p->err, "blocks nest deeper than %d", BLOCKS_MAX);
        }
        p->blocks++;
        node->is_block = true;
        *block = node;
    }
    return LPM_OK;
}

static int end_of_file(struct parser *p, const struct lpm_conf *block, const struct lpm_conf *at)
{
    conf_tree_error(at, p->err, "unexpected end of file, expecting \"}\"");
    conf_tree_hint(p->err, "\"%.64s\" opens in %.128s:%d", block->name, block->file, block->line);
    return LPM_ECONF;
}

/* Reads a whole text into `top`; every block that it opens it also closes. */
static int read_text(struct parser *p, struct input *in, struct lpm_conf *top)
{
    struct lpm_conf *block = top;
    struct conf_token token;

    for (;;) {
        int rc = conf_token_next(&in->source, &token, p->err);
        struct lpm_conf at = {.file = in->source.name, .line = token.line};
        if (rc != LPM_OK) {
            return rc;
        }
        if (token.type == CONF_TOKEN_END) {
            return block == top ? LPM_OK : end_of_file(p, block, &at);
        }
        if (token.type == CONF_TOKEN_WORD) {
            rc = read_directive(p, in, &token, &block);
        } else if (token.type == CONF_TOKEN_CLOSE && block != top) {
            p->blocks--;
            block = block->parent;
        } else {
            const char *mark = token.type == CONF_TOKEN_CLOSE  ? "}"
                               : token.type == CONF_TOKEN_OPEN ? "{"
                                                               : ";";
            rc = conf_tree_error(&at, p->err, "unexpected \"%s\"", mark);
        }
        if (rc != LPM_OK) {
            return rc;
        }
    }
}

/* An error about a whole file: its place is where it is included, if it is. */
static int file_error(struct parser *p, const struct lpm_conf *include, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int file_error(struct parser *p, const struct lpm_conf *include, int code, const char *fmt, ...)
{
    static const struct lpm_conf nowhere;
    va_list args;
    va_start(args, fmt);
    conf_tree_error_args(include ? include : &nowhere, p->err, fmt, args);
    va_end(args);
    return code;
}

static int remember(struct parser *p, const struct conf_source *source)
{
    struct conf_file *file = conf_tree_alloc(p->tree, sizeof(*file)), **last = &p->tree->files;
    if (file == NULL) {
        return no_memory(p);
    }
    *file = (struct conf_file){.name = source->name, .text = source->text, .len = source->len};
    while (*last) {
        last = &(*last)->next;
    }
    *last = file;
    return LPM_OK;
}

/* Reads `size` bytes, or fewer when the file has become shorter. */
static char *load(struct parser *p, int fd, size_t size, size_t *len)
{
    char *text = conf_tree_alloc(p->tree, size + 1);
    ssize_t n = 1;

    for (*len = 0; text && *len < size && n > 0; *len += n > 0 ? (size_t)n : 0) {
        do {
            n = read(fd, text + *len, size - *len);
        } while (n < 0 && errno == EINTR);
    }
    return n < 0 ? NULL : text;
}

/* Refuses what is no file to read, or is being read already. */
static int check_file(struct parser *p, const char *name, const struct lpm_conf *include,
                      const struct input *in, const struct stat *st)
{
    if (!S_ISREG(st->st_mode)) {
        return file_error(p, include, LPM_ECONF, "\"%s\" is not a regular file", name);
    }
    if (st->st_size > FILE_MAX) {
        return file_error(p, include, LPM_ECONF, "\"%s\" is over %d MiB", name, FILE_MAX >> 20);
    }
    p->total += (size_t)st->st_size;
    if (p->total > TOTAL_MAX) {
        return file_error(p, include, LPM_ECONF, "the files are over %d MiB with \"%s\"", TOTAL_MAX >> 20,
                          name);
    }
    int depth = 0;
    for (const struct input *from = in->from; from; from = from->from, depth++) {
        if (from->dev == st->st_dev && from->ino == st->st_ino) {
            return file_error(p, include, LPM_ECONF, "\"%s\" includes itself", name);
        }
    }
    if (depth > INCLUDES_MAX) {
        return file_error(p, include, LPM_ECONF, "includes nest deeper than %d", INCLUDES_MAX);
    }
    return LPM_OK;
}

/* `include`: the directive that asks for it, in its block; NULL: the command line does. */
static int read_file(struct parser *p, const char *name, const struct lpm_conf *include,
                     const struct input *from)
{
    struct input in = {.from = from};
    struct stat st;
    size_t len = 0;
    const char *own = copy(p, name, strlen(name));
    char *text;
    int rc;
    /* O_NONBLOCK: a FIFO is refused, not waited for. */
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = file_error(p, include, LPM_EIO, "cannot open \"%s\": %s", name, strerror(errno));
        goto out;
    }
    rc = check_file(p, name, include, &in, &st);
    if (rc != LPM_OK) {
        goto out;
    }
    in.dev = st.st_dev;
    in.ino = st.st_ino;
    text = load(p, fd, (size_t)st.st_size, &len);
    if (text == NULL || own == NULL) {
        rc = file_error(p, include, LPM_EIO, "cannot read \"%s\": %s", name, strerror(errno));
        goto out;
    }
    fd_close(&fd);
    rc = conf_token_begin(&in.source, own, text, len, p->err);
    if (rc == LPM_OK) {
        rc = remember(p, &in.source);
    }
    if (rc == LPM_OK) {
        rc = read_text(p, &in, include ? include->parent : p->tree->root);
    }
out:
    fd_close(&fd);
    return rc;
}

static int read_memory(struct parser *p, const char *name, const char *text, size_t len)
{
    struct input in = {.from = NULL};
    const char *own = copy(p, name, strlen(name)), *own_text = copy(p, text, len);
    if (own == NULL || own_text == NULL) {
        return no_memory(p);
    }
    int rc = conf_token_begin(&in.source, own, own_text, len, p->err);
    return rc == LPM_OK ? read_text(p, &in, p->tree->root) : rc;
}

static int begin(struct parser *p, const char *name, struct error *err)
{
    *p = (struct parser){.tree = conf_tree_new(), .err = err};
    if (p->tree == NULL) {
        return no_memory(p);
    }
    p->tree->root->file = copy(p, name, strlen(name));
    return p->tree->root->file ? LPM_OK : no_memory(p);
}

static int finish(struct parser *p, struct conf_tree **tree, int rc)
{
    if (rc != LPM_OK) {
        conf_tree_free(p->tree);
        p->tree = NULL;
    }
    *tree = p->tree;
    return rc;
}

int conf_parse(struct conf_tree **tree, const char *name, const char *extra, struct error *err)
{
    struct parser p;
    int rc = begin(&p, name, err);
    if (rc == LPM_OK) {
        rc = read_file(&p, name, NULL, NULL);
    }
    if (rc == LPM_OK && extra) {
        rc = read_memory(&p, "-g", extra, strlen(extra));
    }
    return finish(&p, tree, rc);
}

int conf_parse_text(struct conf_tree **tree, const char *name, const char *text, size_t len,
                    struct error *err)
{
    struct parser p;
    int rc = begin(&p, name, err);
    if (rc == LPM_OK) {
        rc = read_memory(&p, name, text, len);
    }
    return finish(&p, tree, rc);
}
