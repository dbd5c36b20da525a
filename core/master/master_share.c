/*
 * Listeners of two masters. Runs in both; fails without memory, and the new one also when what it was given makes no
 * sense.
 */
#include "master/master_share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "conf/conf_parse.h"
#include "master/master_inherit.h"
#include "master/master_listen.h"

#define NAME "the environment" /* what errors call the text */

static bool is_listen(const struct lpm_conf *node)
{
    return strcmp(node->name, "listen") == 0;
}

static void write_word(FILE *out, const char *word)
{
    fputc('"', out);
    for (; *word; word++) {
        if (*word == '"' || *word == '\\') {
            fputc('\\', out);
        }
        fputc(*word, out);
    }
    fputc('"', out);
}

char *master_share_text(const struct master *master)
{
    const struct conf_tree *tree = master->current->core.tree;
    const char *name;
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (!out) {
        return NULL;
    }
    for (const struct lpm_conf *node = tree->root; node; node = conf_tree_walk(node)) {
        if (node->fd >= 0 && is_listen(node)) {
            fputs("listen ", out);
            write_word(out, master_listen_address(node));
            fprintf(out, " %d", node->fd);
            name = master_inherit_name(master, node->fd);
            if (name) {
                fputc(' ', out);
                write_word(out, name);
            }
            fputs(";\n", out);
        }
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* The number of an open descriptor, of a listening socket if that is what it is to be. */
static int read_fd(struct lpm_conf *node, struct error *err)
{
    size_t place = is_listen(node) ? 1 : 0; /* behind the address */
    const char *word = node->arg_count > place ? node->args[place].data : "";
    int listens = 0;
    socklen_t len = sizeof(listens);
    char *end;
    long fd;

    errno = 0;
    fd = strtol(word, &end, 10);
    if (end == word || *end || errno || fd < 3 || fd > 1 << 24 || fcntl((int)fd, F_GETFD) < 0) {
        return conf_tree_error(node, err, "\"%s\" has \"%s\": expected an open descriptor", node->name, word);
    }
    if (is_listen(node) &&
        (getsockopt((int)fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 || !listens)) {
        return conf_tree_error(node, err, "\"listen\" has \"%s\": expected a listening socket", word);
    }
    node->fd = (int)fd;
    return 0;
}

int master_share_parse(struct conf_tree **tree, const char *text, struct error *err)
{
    int rc = conf_parse_text(tree, NAME, text, strlen(text), err);

    if (rc) {
        return rc;
    }
    for (struct lpm_conf *node = (*tree)->root->first; node && !rc; node = node->next) {
        rc = read_fd(node, err);
    }
    if (rc) {
        conf_tree_free(*tree);
        *tree = NULL;
    }
    return rc;
}

int master_share_begin(struct master *master, struct conf_tree *tree, struct error *err)
{
    struct master_setup *setup = calloc(1, sizeof(*setup));

    if (!setup) {
        master_listen_part(tree);
        conf_tree_free(tree);
        return error_set(err, LPM_ENOMEM, "no memory for what two masters share");
    }
    setup->master = master;
    setup->holders = 1;
    setup->shared = true;
    setup->core.tree = tree;
    setup->core.control = "off";
    setup->core.control_fd = -1;
    setup->dir_lock = -1;
    setup->log.fd = -1;
    list_append(&master->setups, &setup->link);
    master->shared = setup;
    return 0;
}

void master_share_trim(struct master *master)
{
    if (master->shared) {
        master_listen_keep(master->shared->core.tree, master->current->core.tree);
    }
}

void master_share_end(struct master *master)
{
    if (master->shared) {
        master->shared->shared = false;
        master_setup_release(&master->shared);
    }
}
