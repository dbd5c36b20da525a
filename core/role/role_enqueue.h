/*
 * What a module wants to have sent, an lpm_enqueue: checked, and copied into one piece. Pure, but for a look at whether
 * its descriptors are open.
 */
#ifndef ROLE_ENQUEUE_H
#define ROLE_ENQUEUE_H

#include <lpm/module.h>

/* What an lpm_enqueue of 1.0 has at the least: what is shorter has no id that could be written to. */
#define ROLE_ENQUEUE_SIZE_MIN offsetof(lpm_enqueue, stream)

/* Is all of it, which has that size, as lpm/module.h says, the handler excepted? `*headers` receives what its headers take when they are encoded, and
 * behind them come `len` bytes of data. 0, LPM_EINVAL, LPM_ETOOBIG. */
int role_enqueue_check(const lpm_enqueue *spec, size_t *headers);

/* Writes headers and data to `room`, which has those bytes. */
void role_enqueue_encode(const lpm_enqueue *spec, char *room);

/* Its descriptors; -1: none. */
int role_enqueue_stream(const lpm_enqueue *spec);
int role_enqueue_socket(const lpm_enqueue *spec);

/* LPM_PRIORITY_...; and on whose behalf it comes, empty if nobody was named. */
int32_t role_enqueue_priority(const lpm_enqueue *spec);
lpm_slice role_enqueue_client(const lpm_enqueue *spec);

/* When it is to be over, if it came at `now`: ns; 0: never. `fallback`: ms, of the configuration. */
uint64_t role_enqueue_deadline(const lpm_enqueue *spec, int64_t fallback, uint64_t now);

#endif
