/*
 * The heap of a worker. Runs in a worker. Where the C library does not tell, it is 0.
 */
#include "worker/worker_heap.h"

#include <malloc.h>

#include "base/clock.h"
#include "lpm_auto_config.h"
#include "worker/worker_output.h"

#define CHANGE_MIN (64u * 1024)

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

void worker_heap_tell(struct worker *w)
{
    uint64_t now = clock_now();
    struct frame frame = {.type = FRAME_HEAP};

    if (now < w->heap_next || w->over) {
        return;
    }
    w->heap_next = now + CLOCK_NS_PER_S;
    read_heap(&frame);
    if (distance(frame.heap_used, w->heap_used) >= CHANGE_MIN ||
        distance(frame.heap_total, w->heap_total) >= CHANGE_MIN) {
        w->heap_used = frame.heap_used;
        w->heap_total = frame.heap_total;
        worker_output_send(w, &frame);
    }
}
