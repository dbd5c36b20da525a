/*
 * How a reader sleeps and is woken. It writes to shared memory at which index of its ring it fell asleep, looks at the
 * ring once more, and sleeps; the writer publishes, looks whether the ring passed that index, and only then rings. A fence
 * on each side, between the writing and the looking, so that one of them sees the other. tests/model/bell.pml proves it.
 *
 * A bell is an eventfd whose listener is told by its edges and never reads it. The worker's is given to it wrapped in an
 * epoll instance: it could make the bus's write block if it had the eventfd itself. The bus does not write its own.
 */
#ifndef BELL_H
#define BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Reader: is about to sleep at index `at`. Look at the ring once more after it. */
static inline void bell_arm(_Atomic uint32_t *asleep_at, uint32_t at)
{
    atomic_store_explicit(asleep_at, at, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
}

/* Did an index on its way from `before` to `after` pass `asleep_at`? */
static inline bool bell_passed(uint32_t asleep_at, uint32_t before, uint32_t after)
{
    return asleep_at - before < after - before;
}

/* Writer: has published the slots [before, after): has the reader to be woken? */
static inline bool bell_due(const _Atomic uint32_t *asleep_at, uint32_t before, uint32_t after)
{
    atomic_thread_fence(memory_order_seq_cst);
    return bell_passed(atomic_load_explicit(asleep_at, memory_order_relaxed), before, after);
}

/* The same for a question that is no index: a side counts up `calls` when it needs something, looks for it once more, and
 * waits; the other, when it has given something, looks whether the count is another than the last it answered. */
static inline void bell_call(_Atomic uint32_t *calls)
{
    atomic_store_explicit(calls, atomic_load_explicit(calls, memory_order_relaxed) + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
}

static inline bool bell_called(const _Atomic uint32_t *calls, uint32_t *answered)
{
    uint32_t count;

    atomic_thread_fence(memory_order_seq_cst);
    count = atomic_load_explicit(calls, memory_order_relaxed);
    if (count == *answered) {
        return false;
    }
    *answered = count;
    return true;
}

/* Makes a bell: an eventfd. The descriptor, or -1 with errno. */
int bell_new(void);

/* What tells of the bell `fd`, and cannot ring it: poll it edge-triggered. The descriptor, or -1 with errno. */
int bell_listener(int fd);

/* Rings. The listener finds out, or is dead. */
void bell_ring(int fd);

#endif
