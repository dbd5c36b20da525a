/*
 * Round trips of bare slots: the ring and the bells of a channel, without messages.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/bell.h"
#include "ipc/ring.h"
#include "roundtrip.h"

struct half {
    struct ring_cell cells[RING_SLOTS];
    _Alignas(128) _Atomic uint32_t shown;
    _Alignas(128) _Atomic uint32_t taken; /* of the other half */
    _Alignas(128) _Atomic uint32_t asleep_at;
};

static struct half *halves; /* shared; each process writes its own */

struct end {
    struct half *mine, *theirs;
    struct ring_writer writer;
    struct ring_reader reader;
    int loop, their_bell;
};

static void make(int fds[2])
{
    if (halves) {
        munmap(halves, 2 * sizeof(*halves));
    }
    halves = mmap(NULL, 2 * sizeof(*halves), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fds[0] = bell_new();
    fds[1] = bell_new();
    if (halves == MAP_FAILED || fds[0] < 0 || fds[1] < 0) {
        roundtrip_die("the ring");
    }
}

static void end_init(struct end *e, int side, const int *bells)
{
    e->mine = &halves[side];
    e->theirs = &halves[1 - side];
    ring_writer_init(&e->writer, e->mine->cells, &e->mine->shown, &e->theirs->taken, 0);
    ring_reader_init(&e->reader, e->theirs->cells, &e->theirs->shown, &e->mine->taken, 0);
    e->loop = roundtrip_listen(bells[side], -1);
    e->their_bell = bells[1 - side];
}

static void flush(struct end *e)
{
    uint32_t before = e->writer.published;

    ring_publish(&e->writer, e->writer.next);
    if (bell_due(&e->theirs->asleep_at, before, e->writer.next)) {
        bell_ring(e->their_bell);
    }
}

static void put(struct end *e)
{
    if (ring_room(&e->writer) == 0 && (ring_refresh(&e->writer) < 0 || ring_room(&e->writer) == 0)) {
        roundtrip_die("ring_room");
    }
    ring_put(&e->writer, &(struct ring_slot){0, 1, 0, 0});
}

/* Takes and answers until there is nothing more, and sleeps: how many. */
static unsigned turn(struct end *e)
{
    unsigned count = 0;

    for (;;) {
        struct ring_slot slot;

        if (ring_left(&e->reader) == 0 && ring_look(&e->reader) == 0) {
            flush(e);
            bell_arm(&e->mine->asleep_at, e->reader.next);
            if (ring_look(&e->reader) == 0) {
                roundtrip_sleep(e->loop);
                return count;
            }
        }
        ring_read(&e->reader, &slot);
        ring_advance(&e->reader);
        put(e);
        if (++count % 32 == 0) {
            flush(e);
        }
    }
}

static void echo(const struct roundtrip *r, int *bells)
{
    struct end e;

    (void)r;
    end_init(&e, 1, bells);
    for (;;) {
        turn(&e);
    }
}

static uint64_t drive(struct roundtrip *r, int *bells)
{
    uint64_t start = clock_now(), last = 0, done = 0;
    struct end e;

    end_init(&e, 0, bells);
    for (unsigned i = 0; i < r->in_flight; i++) {
        put(&e);
    }
    flush(&e);
    while (!roundtrip_over(r, start, &last)) {
        done += turn(&e);
    }
    close(e.loop);
    return done;
}

const struct roundtrip_way roundtrip_ring = {.name = "bare ring",
                                             .payload_max = ROUNDTRIP_MIN,
                                             .in_flight_max = RING_SLOTS,
                                             .make = make,
                                             .both = true,
                                             .drive = drive,
                                             .echo = echo};
