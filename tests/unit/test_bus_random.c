/*
 * A bus under thousands of random events, with a ledger: each request has exactly one outcome, runs no more often than it
 * may, and waits for no worker that is free; the bus's own counts are right after each step.
 *
 * The time is the test's: it passes only between the steps, so that a seed always gives the same run. The loop's wait is
 * the test's, too: the bus runs until it would sleep, and the end of a turn comes only where the bus would have been woken.
 */
#include "bus_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/fd.h"

enum { WORKERS = 3, CONCURRENCY = 4, STEPS = 2000, ENTRIES = STEPS * 8, OPEN_MAX_COUNT = 128 };

static const uint64_t seeds[] = {1, 2, 3, 4, 5, 6};

/* -- The test's time and sleep ------------------------------------------------------------------------ */

static uint64_t fake_now = 1000 * CLOCK_NS_PER_S;
static bool asleep;

int clock_gettime(clockid_t id, struct timespec *t)
{
    if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE) {
        return (int)syscall(SYS_clock_gettime, id, t);
    }
    t->tv_sec = (time_t)(fake_now / CLOCK_NS_PER_S);
    t->tv_nsec = (long)(fake_now % CLOCK_NS_PER_S);
    return 0;
}

static struct event_base *sleeper;

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    int n = epoll_pwait(fd, events, max, 0, NULL);

    if (n == 0 && timeout != 0) {
        asleep = true;
        event_base_loopbreak(sleeper);
    }
    return n;
}

/* -- The ledger --------------------------------------------------------------------------------------- */

struct entry {
    struct world *world;
    bool taken, cancelled;
    int calls, error;
    unsigned starts, retries;
    uint64_t ticket;
};

/* A request in a worker. */
struct held {
    struct frame_key key;
    struct entry *entry;
    bool cancelled, started;
};

/* What the kernel would know of a worker. */
struct process {
    struct channel *channel; /* NULL: it has none any more */
    uint32_t incarnation;
    bool alive, ready, busy, home;
    int killed;                       /* steps until the SIGKILL reaches it; 0: none is on its way */
    struct held held[OPEN_MAX_COUNT]; /* in the order of arrival */
    unsigned count;
    uint32_t running; /* 0: none */
};

struct world {
    struct fixture *f;
    uint64_t random;
    struct process processes[WORKERS];
    struct entry *entries;
    size_t count;
    bool draining, released, degraded;
    unsigned outcomes[32]; /* by error */
};

static uint64_t draw(struct world *world, uint64_t below)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (world->random >> 11) % below;
}

static bool chance(struct world *world, unsigned percent)
{
    return draw(world, 100) < percent;
}

/* -- The enqueuer ------------------------------------------------------------------------------------- */

static void enqueue_one(struct world *world);
static void cancel_one(struct world *world);

static void check_outcome(const struct entry *e, const lpm_response *res)
{
    char expected[16];

    switch (e->error) {
    case 0:
        snprintf(expected, sizeof(expected), "%zu", (size_t)(e - e->world->entries));
        assert_true(lpm_slice_is(lpm_response_data(res), expected));
        assert_true(e->starts >= 1);
        break;
    case LPM_EWORKER:
        assert_true(e->starts >= 1);
        break;
    case LPM_ENOWORKER:
        assert_true(e->world->f->bus.pools->degraded && e->world->f->bus.pools->alive == 0);
        break;
    case LPM_EFULL:
    case LPM_ETIMEDOUT:
        break;
    default:
        fail_msg("outcome %d", e->error);
    }
}

static void on_outcome(lpm_response *res, void *arg)
{
    struct entry *e = arg;
    struct world *world = e->world;

    assert_int_equal(e->calls, 0);
    assert_false(e->cancelled);
    e->calls++;
    e->error = lpm_response_error(res);
    check_outcome(e, res);
    world->outcomes[-e->error]++;
    assert_int_equal(lpm_supervisor_cancel(&world->f->supervisor, e->ticket), LPM_EDONE);
    if (chance(world, 20)) {
        enqueue_one(world);
    }
    if (chance(world, 20)) {
        cancel_one(world);
    }
}

static void enqueue_one(struct world *world)
{
    static const size_t sizes[] = {0, 1, 100, 5000, 20000};
    static char data[20000];
    struct entry *e = &world->entries[world->count];
    char number[16];
    lpm_header header = {lpm_slice_of(":n"), {number, 0}};
    lpm_enqueue spec = {.size = sizeof(spec),
                        .handler = &world->f->handler,
                        .headers = &header,
                        .header_count = 1,
                        .data = data,
                        .ticket = &e->ticket};
    int fds[2] = {0, -1}, rc;

    if (world->count == ENTRIES) {
        return;
    }
    header.value.len = (size_t)snprintf(number, sizeof(number), "%zu", world->count++);
    *e = (struct entry){.world = world, .retries = (unsigned)draw(world, 3)};
    spec.len = sizes[draw(world, sizeof(sizes) / sizeof(sizes[0]))];
    spec.retries = e->retries;
    spec.priority = (int32_t)draw(world, 3) - 1;
    spec.client = (lpm_slice){number, draw(world, 3)};
    spec.timeout = chance(world, 40) ? (int64_t)draw(world, 200) : LPM_NONE;
    if (chance(world, 5)) {
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        spec.stream = fds[0];
        e->retries = 0;
    }
    rc = lpm_supervisor_enqueue(&world->f->supervisor, &spec, on_outcome, e);
    e->taken = rc == 0;
    if (rc != 0 && fds[1] >= 0) {
        close(fds[0]);
    }
    fd_close(&fds[1]);
    /* The bus may not have heard yet that it is to drain. */
    assert_true(rc == 0 || rc == LPM_EFULL || rc == (world->draining ? LPM_ESHUTDOWN : LPM_ENOWORKER));
}

static void cancel_one(struct world *world)
{
    size_t recent = world->count < 40 ? world->count : 40;
    struct entry *e = &world->entries[world->count - 1 - (recent ? draw(world, recent) : 0)];
    bool waits = recent && e->taken && !e->cancelled && e->calls == 0;

    if (recent && e->taken) {
        assert_int_equal(lpm_supervisor_cancel(&world->f->supervisor, e->ticket), waits ? 0 : LPM_EDONE);
        e->cancelled = e->cancelled || waits;
    }
}

/* -- The workers -------------------------------------------------------------------------------------- */

/* False: the bus is gone, from where it stands, or does not read for now. */
static bool say_to_bus(struct process *p, const struct frame *frame)
{
    int code;
    char *room = channel_reserve(p->channel, frame_size(frame), &code);

    if (!room) {
        return false;
    }
    frame_encode(frame, room);
    channel_commit(p->channel);
    return channel_flush(p->channel) == 0;
}

static void drop_held(struct process *p, unsigned at)
{
    memmove(&p->held[at], &p->held[at + 1], (p->count - at - 1) * sizeof(p->held[0]));
    p->count--;
}

static int find_held(const struct process *p, struct frame_key key)
{
    for (unsigned i = 0; i < p->count; i++) {
        if (p->held[i].key.seq == key.seq && p->held[i].key.slot == key.slot) {
            return (int)i;
        }
    }
    return -1;
}

static void answer_held(struct process *p, unsigned at)
{
    struct held *h = &p->held[at];
    char text[16];
    struct frame frame = {.type = FRAME_RESPONSE, .key = h->key, .error = h->cancelled ? LPM_ECANCELED : 0};

    if (!h->cancelled) {
        snprintf(text, sizeof(text), "%zu", (size_t)(h->entry - h->entry->world->entries));
        frame.data = lpm_slice_of(text);
    }
    say_to_bus(p, &frame);
    drop_held(p, at);
}

static void hear_one(struct world *world, struct process *p, const struct frame *frame)
{
    lpm_slice number;
    int at;

    switch (frame->type) {
    case FRAME_REQUEST:
        assert_true(p->count < OPEN_MAX_COUNT && !p->home);
        number = frame_header_find(frame->headers, ":n");
        p->held[p->count] = (struct held){.key = frame->key, .entry = &world->entries[atoi(number.data)]};
        p->count++;
        break;
    case FRAME_CANCEL:
        at = find_held(p, frame->key);
        if (at >= 0) {
            assert_false(p->held[at].cancelled); /* it is said once */
            p->held[at].cancelled = true;
        }
        break;
    case FRAME_ABANDON:
        at = find_held(p, frame->key);
        if (at >= 0) {
            assert_true(p->held[at].started && p->held[at].cancelled);
            answer_held(p, (unsigned)at);
        }
        break;
    case FRAME_SOFT_KILL:
        p->home = true;
        break;
    default:
        break;
    }
}

static void hear_all(struct world *world, struct process *p)
{
    struct channel_message message;
    struct frame frame;
    const char *why;

    while (channel_next(p->channel, &message, &why) == 1) {
        assert_int_equal(frame_decode(&frame, message.data, message.len, &why), 0);
        hear_one(world, p, &frame);
        channel_release(p->channel, &message);
    }
}

static struct held *next_unstarted(struct process *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        if (!p->held[i].started) {
            return &p->held[i];
        }
    }
    return NULL;
}

static void start_one(struct process *p)
{
    struct held *h = next_unstarted(p);

    if (h && p->running == 0) {
        h->started = true;
        h->entry->starts++;
        p->running = h->key.seq;
        channel_show_started(p->channel, p->running);
        channel_show_running(p->channel, p->running);
    }
}

/* The handler comes back. */
static void return_one(struct process *p)
{
    bool open = false;

    if (p->running == 0) {
        return;
    }
    for (unsigned i = 0; i < p->count; i++) {
        open = open || p->held[i].key.seq == p->running;
    }
    p->running = 0;
    channel_show_running(p->channel, 0);
    if (channel_wanted(p->channel) && (open || !next_unstarted(p))) {
        struct frame frame = {.type = FRAME_IDLE};
        say_to_bus(p, &frame);
    }
}

static void answer_one(struct world *world, struct process *p)
{
    unsigned at = p->count ? (unsigned)draw(world, p->count) : 0;

    if (p->count && p->held[at].started) {
        answer_held(p, at);
    }
}

static void end_process(struct process *p)
{
    if (p->channel) {
        channel_free(p->channel);
    }
    p->channel = NULL;
    p->alive = false;
    p->killed = 0;
    p->count = 0;
}

static void lie(struct world *world, struct process *p)
{
    struct frame lies[] = {{.type = FRAME_SOFT_KILL},
                           {.type = FRAME_RESPONSE, .key = {(uint32_t)draw(world, 70), 999999}},
                           {.type = FRAME_SOCKET_CLOSED}};

    say_to_bus(p, &lies[draw(world, 3)]);
}

static void change_busy(struct process *p)
{
    struct frame frame = {.type = p->busy ? FRAME_READY : FRAME_BUSY};

    p->busy = !p->busy;
    say_to_bus(p, &frame);
}

static void work(struct world *world, struct process *p)
{
    uint64_t what = draw(world, 1000);

    if (!p->ready) {
        struct frame frame = {.type = FRAME_READY};
        p->ready = say_to_bus(p, &frame);
    } else if (what < 300) {
        hear_all(world, p);
    } else if (what < 600) {
        start_one(p);
    } else if (what < 780) {
        answer_one(world, p);
    } else if (what < 940) {
        return_one(p);
    } else if (what < 960 && !world->draining) {
        change_busy(p);
    } else if (what < 963) {
        end_process(p);
    } else if (what < 964 && !world->draining) {
        lie(world, p);
    }
    if (p->alive && p->home && p->count == 0) {
        end_process(p);
    }
}

/* -- The master --------------------------------------------------------------------------------------- */

static void tell_bus(struct world *world, struct control message, int fd)
{
    assert_int_equal(control_send(world->f->master, &message, fd), 0);
}

static void fork_worker(struct world *world, unsigned index)
{
    struct process *p = &world->processes[index];
    struct control message = {.type = CONTROL_WORKER_NEW, .index = index, .pid = getpid()};
    struct error err;
    int fds[2];

    assert_int_equal(channel_pair(fds, &err), 0);
    message.incarnation = p->incarnation + 1;
    *p = (struct process){.incarnation = message.incarnation, .alive = true};
    tell_bus(world, message, fds[0]);
    close(fds[0]);
    /* Its end waits for the board, which comes when the bus has run. */
    event_base_loop(world->f->bus.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    bus_lifecycle_end_turn(&world->f->bus);
    assert_int_equal(channel_new_worker(&p->channel, fds[1], WAIT_MS, &err), 0);
}

static void hear_bus(struct world *world)
{
    struct control message;
    int fd;

    while (control_receive(world->f->master, &message, &fd) == 1) {
        struct process *p = &world->processes[message.index];
        bool end = message.type == CONTROL_WORKER_KILL || message.type == CONTROL_WORKER_ABORT;
        if (end && p->incarnation == message.incarnation && p->alive && p->killed == 0) {
            p->killed = 1 + (int)draw(world, 10);
        } else if (message.type == CONTROL_RELEASED) {
            world->released = true;
        }
    }
}

static void supervise(struct world *world, unsigned index)
{
    struct process *p = &world->processes[index];
    struct bus_worker *w = &world->f->bus.pools->workers[index];

    if (p->alive && p->killed > 0 && --p->killed == 0) {
        end_process(p);
    }
    if (!p->alive && w->state != BUS_WORKER_ABSENT && chance(world, 30)) {
        tell_bus(world,
                 (struct control){
                     .type = CONTROL_WORKER_GONE, .index = index, .incarnation = p->incarnation, .status = 9},
                 -1);
    } else if (!p->alive && w->state == BUS_WORKER_ABSENT && !world->released && !world->degraded &&
               chance(world, 30)) {
        fork_worker(world, index);
    }
}

static void change_degraded(struct world *world)
{
    world->degraded = !world->degraded;
    for (int i = 0; i < WORKERS && world->degraded && !world->draining; i++) {
        if (world->processes[i].alive && chance(world, 80)) {
            end_process(&world->processes[i]);
        }
    }
    tell_bus(world,
             (struct control){.type = CONTROL_POOL_DEGRADED,
                              .until = world->degraded ? fake_now + CLOCK_NS_PER_S : 0},
             -1);
}

/* -- What must be so ---------------------------------------------------------------------------------- */

static void check_ledger(const struct world *world)
{
    size_t waiting = 0;

    for (size_t i = 0; i < world->count; i++) {
        const struct entry *e = &world->entries[i];
        waiting += e->taken && !e->cancelled && e->calls == 0;
        assert_true(e->taken || e->calls == 0);
        assert_in_range(e->starts, 0, 1 + e->retries);
    }
    assert_int_equal(world->f->bus.waiting, waiting);
}

static void check_queue(const struct bus_pool *pool)
{
    size_t count = 0, bytes = 0;

    for (struct bus_queue_item *item = NULL; (item = bus_queue_after(&pool->queue, item)) != NULL;) {
        const struct bus_request *req = LIST_ENTRY(item, struct bus_request, item);
        assert_int_equal(req->state, BUS_REQUEST_QUEUED);
        assert_true(req->waited);
        count++;
        bytes += req->headers_len + req->data_len;
    }
    assert_int_equal(pool->queue.sum.count, count);
    assert_int_equal(pool->queue.sum.bytes, bytes);
    assert_int_equal(pool->bus->queued.count, count);
    assert_true(count > 0 || pool->share.clients == 0);
}

static void check_worker(const struct bus_worker *w)
{
    const struct bus_load *load = bus_worker_load(w);
    uint32_t count = 0, last = 0;
    unsigned with_descriptors = 0;

    LIST_EACH(link, after, &w->sent)
    {
        const struct bus_request *req = LIST_ENTRY(link, struct bus_request, link);
        assert_int_equal(req->state, BUS_REQUEST_SENT);
        assert_ptr_equal(req->worker, w);
        assert_true(req->key.seq > last && req->key.seq <= w->seq);
        last = req->key.seq;
        count++;
        with_descriptors += req->stream >= 0;
        assert_ptr_equal(w->slots[req->key.slot], req);
    }
    if (w->channel) {
        assert_int_equal(load->in_flight, count);
        assert_int_equal(w->free_count + count, w->slot_count);
        assert_int_equal(w->held, with_descriptors);
        assert_in_range(count, 0, CONCURRENCY);
    } else {
        assert_int_equal(load->in_flight, 0);
    }
    assert_true(w->state != BUS_WORKER_ABSENT || count == 0);
}

/* The bus sleeps: no request may wait that a worker could have. */
static void check_nobody_is_free(const struct world *world)
{
    const struct bus_pool *pool = world->f->bus.pools;

    for (size_t i = 0; i < WORKERS && pool->queue.sum.count > 0; i++) {
        const struct bus_worker *w = &pool->workers[i];
        const struct process *p = &world->processes[i];
        bool open = w->state == BUS_WORKER_SERVING && !w->busy && !w->blocked && p->alive && p->killed == 0;
        if (open && pool->dispatch.loads[i].in_flight < CONCURRENCY) {
            assert_true(w->seq != channel_started(w->channel) || channel_running(w->channel) != 0);
        }
    }
}

static void check_all(const struct world *world)
{
    check_ledger(world);
    check_queue(world->f->bus.pools);
    for (unsigned i = 0; i < WORKERS; i++) {
        check_worker(&world->f->bus.pools->workers[i]);
    }
}

static void run_bus(struct world *world)
{
    struct bus *bus = &world->f->bus;

    for (int turns = 0; !bus->over; turns++) {
        asleep = false;
        event_base_loop(bus->base, EVLOOP_ONCE);
        if (asleep) {
            break;
        }
        bus_lifecycle_end_turn(bus);
        check_all(world);
        assert_in_range(turns, 0, 1000);
    }
    check_all(world);
    if (!bus->over) {
        check_nobody_is_free(world);
    }
}

static void step(struct world *world)
{
    fake_now += draw(world, 3) * CLOCK_NS_PER_MS;
    /* Quiet times and rushes. */
    for (uint64_t left = fake_now / CLOCK_NS_PER_S % 2 ? draw(world, 5) : chance(world, 30); left > 0;
         left--) {
        enqueue_one(world);
        event_active(&world->f->bus.master_readable, EV_READ, 0); /* an ingress is called by the loop */
    }
    if (world->count > 0 && chance(world, 8)) {
        cancel_one(world);
        event_active(&world->f->bus.master_readable, EV_READ, 0);
    }
    for (int i = 0; i < 2 * WORKERS; i++) {
        struct process *p = &world->processes[draw(world, WORKERS)];
        if (p->alive) {
            work(world, p);
        }
    }
    run_bus(world);
    hear_bus(world);
    for (unsigned i = 0; i < WORKERS; i++) {
        supervise(world, i);
    }
    if (!world->draining && draw(world, 1000) < (world->degraded ? 100 : 3)) {
        change_degraded(world);
    }
    run_bus(world);
}

static void finish(struct world *world)
{
    struct bus *bus = &world->f->bus;
    size_t idle = 0;

    if (world->degraded) {
        change_degraded(world);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        if (world->processes[i].alive && world->processes[i].busy) {
            change_busy(&world->processes[i]);
        }
    }
    run_bus(world);
    tell_bus(world, (struct control){.type = CONTROL_SOFT_KILL}, -1);
    world->draining = true;
    for (int steps = 0; !bus->over; steps++) {
        step(world);
        assert_in_range(steps, 0, 20000);
    }
    assert_int_equal(bus->status, 0);
    assert_int_equal(bus->waiting, 0);
    LIST_EACH(link, after, &bus->request_free)
    {
        idle++;
    }
    assert_int_equal(idle, bus->request_count);
    for (size_t i = 0; i < world->count; i++) {
        const struct entry *e = &world->entries[i];
        assert_int_equal(e->calls, e->taken && !e->cancelled);
    }
}

static size_t count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(dir);
    while (readdir(dir)) {
        count++;
    }
    closedir(dir);
    return count;
}

/* Adds to `outcomes` how often there was each. */
static void run(uint64_t seed, unsigned outcomes[32])
{
    struct world world = {.random = seed * UINT64_C(0x9e3779b97f4a7c15),
                          .f = fixture_of(WORKERS, CONCURRENCY)};

    world.entries = calloc(ENTRIES, sizeof(*world.entries));
    assert_non_null(world.entries);
    sleeper = world.f->bus.base;
    world.f->conf.queue_timeout = 150;
    for (int i = 0; i < STEPS; i++) {
        step(&world);
    }
    finish(&world);
    print_message(
        "seed %d: %zu requests: %u answered, %u too late, %u lost with their workers, %u refused, %u "
        "without a worker\n",
        (int)seed, world.count, world.outcomes[0], world.outcomes[-LPM_ETIMEDOUT],
        world.outcomes[-LPM_EWORKER], world.outcomes[-LPM_EFULL], world.outcomes[-LPM_ENOWORKER]);
    for (size_t i = 0; i < 32; i++) {
        outcomes[i] += world.outcomes[i];
    }
    fixture_free(world.f);
    free(world.entries);
}

static void every_request_has_one_outcome(void **state)
{
    size_t descriptors = count_descriptors();
    unsigned outcomes[32] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        run(seeds[i], outcomes);
        assert_int_equal(count_descriptors(), descriptors);
    }
    assert_true(outcomes[0] && outcomes[-LPM_ETIMEDOUT] && outcomes[-LPM_EWORKER] && outcomes[-LPM_EFULL] &&
                outcomes[-LPM_ENOWORKER]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_has_one_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
