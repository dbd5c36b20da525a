/*
 * The heap of a worker. Runs in a worker. Where the C library does not tell, it is 0.
 */
#include "worker/worker_heap.h"

#include <malloc.h>

#include "base/clock.h"
#include "lpm_auto_config.h"
#include "worker/worker_output.h"

#define CHANGE_MIN (64u * 1024)

/* malloc visits every free chunk to tell, which takes long in a heap that is in pieces: at most this part of the time. */
#define COST_SHARE 1000u

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static void read_heap(struct frame *frame)
{
#if LPM_HAVE_MALLINFO2
    struct mallinfo2 info = mallinfo2();
    frame->heap_total = info.arena + info.hblkhd;
    frame->heap_used = info.uordblks + info.hblkhd;
#else
    (void)frame;
#endif
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;

    (void)fd;
    (void)what;
    w->heap_timer_runs = false; /* the end of this turn looks */
}

static void look_later(struct worker *w, uint64_t now)
{
    struct timeval wait = clock_timeval(w->heap_next - now);

    if (!w->heap_timer) {
        w->heap_timer = evtimer_new(w->base, on_timer, w);
    }
    w->heap_timer_runs = w->heap_timer && event_add(w->heap_timer, &wait) == 0;
}

static void look(struct worker *w, uint64_t now)
{
    struct frame frame = {.type = FRAME_HEAP};
    uint64_t cost;

    read_heap(&frame);
    cost = clock_now() - now;
    w->heap_next = now + (cost * COST_SHARE > CLOCK_NS_PER_S ? cost * COST_SHARE : CLOCK_NS_PER_S);
    if (distance(frame.heap_used, w->heap_used) >= CHANGE_MIN ||
        distance(frame.heap_total, w->heap_total) >= CHANGE_MIN) {
        w->heap_used = frame.heap_used;
        w->heap_total = frame.heap_total;
        worker_output_send(w, &frame);
    }
}

void worker_heap_tell(struct worker *w)
{
    uint64_t now;

    if (w->over || w->heap_timer_runs) {
        return;
    }
    now = clock_now();
    if (now < w->heap_next) {
        look_later(w, now);
    } else {
        look(w, now);
    }
}

void worker_heap_fini(struct worker *w)
{
    if (w->heap_timer) {
        event_free(w->heap_timer);
        w->heap_timer = NULL;
    }
}
