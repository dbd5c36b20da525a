/*
 * An intrusive, circular, doubly linked list: no allocation, removal without a search. The head is a link itself.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define LIST_ENTRY(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* Visits each link; the visited one may be removed. */
#define LIST_EACH(link, after, head)                                            \
    for (struct list *link = (head)->next, *after = link->next; link != (head); \
         link = after, after = link->next)

/* An empty head, or a link that is in no list. */
static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

/* Puts `link` behind `where`; behind the head it is the first, behind head->prev the last. */
static inline void list_insert(struct list *where, struct list *link)
{
    link->next = where->next;
    link->prev = where;
    where->next->prev = link;
    where->next = link;
}

static inline void list_append(struct list *head, struct list *link)
{
    list_insert(head->prev, link);
}

/* Takes it out of its list, if it is in one. */
static inline void list_remove(struct list *link)
{
    link->next->prev = link->prev;
    link->prev->next = link->next;
    list_init(link);
}

#endif
