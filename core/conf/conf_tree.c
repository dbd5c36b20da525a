/*
 * The configuration as a tree, and the memory that it lives in. Runs in every process; fails only when there is
 * no memory.
 */
#include "conf/conf_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE 16384
#define TEXT_MAX   512 /* so that place and hint still have room in a struct error */
#define FILE_MAX   255

struct conf_chunk {
    struct conf_chunk *next;
    size_t size, used;
    max_align_t data[];
};

struct conf_tree *conf_tree_new(void)
{
    struct conf_tree *tree = calloc(1, sizeof(*tree));
    if (tree == NULL) {
        return NULL;
    }
    tree->root = conf_tree_alloc(tree, sizeof(*tree->root));
    if (tree->root == NULL) {
        free(tree);
        return NULL;
    }
    tree->root->name = "";
    tree->root->is_block = true;
    tree->root->fd = -1;
    return tree;
}

void conf_tree_free(struct conf_tree *tree)
{
    if (tree == NULL) {
        return;
    }
    for (struct conf_chunk *chunk = tree->memory, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(tree);
}

void *conf_tree_alloc(struct conf_tree *tree, size_t size)
{
    const size_t align = sizeof(max_align_t);
    struct conf_chunk *chunk = tree->memory;

    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size = (size + align - 1) / align * align;
    if (chunk == NULL || chunk->size - chunk->used < size) {
        size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        chunk = calloc(1, sizeof(*chunk) + room);
        if (chunk == NULL) {
            return NULL;
        }
        chunk->size = room;
        chunk->next = tree->memory;
        tree->memory = chunk;
    }
    void *memory = (char *)chunk->data + chunk->used;
    chunk->used += size;
    return memory;
}

static struct lpm_conf *find(struct lpm_conf *node, const char *name)
{
    while (node && strcmp(node->name, name) != 0) {
        node = node->next;
    }
    return node;
}

struct lpm_conf *conf_tree_child(const struct lpm_conf *block, const char *name)
{
    return block ? find(block->first, name) : NULL;
}

struct lpm_conf *conf_tree_same(const struct lpm_conf *node)
{
    return find(node->next, node->name);
}

struct lpm_conf *conf_tree_walk(const struct lpm_conf *node)
{
    if (node->first) {
        return node->first;
    }
    while (node && node->next == NULL) {
        node = node->parent;
    }
    return node ? node->next : NULL;
}

void conf_tree_bind(struct conf_tree *tree, const lpm_host *host, const void *owner)
{
    for (struct lpm_conf *node = tree->root; node; node = conf_tree_walk(node)) {
        node->handle.host = host;
        node->handle.owner = owner;
    }
}

int conf_tree_error_args(const struct lpm_conf *node, struct error *err, const char *fmt, va_list args)
{
    static const char dots[] = "...";
    char text[TEXT_MAX], line[16] = "";
    const char *file = node->file;
    size_t len = file ? strlen(file) : 0;

    if ((size_t)vsnprintf(text, sizeof(text), fmt, args) >= sizeof(text)) {
        memcpy(text + sizeof(text) - sizeof(dots), dots, sizeof(dots));
    }
    if (file == NULL) {
        return error_set(err, LPM_ECONF, "%s", text);
    }
    if (node->line > 0) {
        snprintf(line, sizeof(line), ":%d", node->line);
    }
    return error_set(err, LPM_ECONF, "%s in %s%s%s", text, len > FILE_MAX ? dots : "",
                     len > FILE_MAX ? file + len - FILE_MAX : file, line);
}

int conf_tree_error(const struct lpm_conf *node, struct error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    conf_tree_error_args(node, err, fmt, args);
    va_end(args);
    return LPM_ECONF;
}

void conf_tree_hint(struct error *err, const char *fmt, ...)
{
    char before[ERROR_TEXT_SIZE], hint[TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(hint, sizeof(hint), fmt, args);
    va_end(args);
    memcpy(before, err->text, sizeof(before));
    error_set(err, LPM_ECONF, "%s, %s", before, hint);
}

struct lpm_conf *conf_tree_at(const struct conf_tree *tree, uint32_t index)
{
    struct lpm_conf *node = tree->root;

    while (node && index-- > 0) {
        node = conf_tree_walk(node);
    }
    return node;
}
