/*
 * The bus and one of its workers that writes what it likes, where it likes, whenever it likes: to its shared memory, its
 * socket and its bell. At worst that worker is killed; the bus neither crashes nor waits nor goes in circles, and its next
 * worker finds everything in order.
 *
 * The input is the worker's doing, some bytes a deed. As a test it is the same random bytes in each run; with
 * -DLPM_LIBFUZZER (make fuzz) it comes from libFuzzer. A second test writes from another thread while the bus reads.
 */
#include "../unit/bus_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "ipc/bell.h"
#include "ipc/note.h"
#include "ipc/share.h"
#include "ipc/store.h"

#define STUCK_S  20 /* so long no turn of the bus takes */
#define REQUESTS 32

/* What the worker does, driven by bytes. */
struct world {
    struct fixture *f;
    struct share_end raw;
    const uint8_t *data, *end;
    struct outcome outcomes[REQUESTS];
    unsigned enqueued;
    uint32_t slot;                   /* of its own ring */
    uint32_t heard;                  /* of the bus's */
    char *store;                     /* its own; NULL: not made */
    struct frame_key keys[REQUESTS]; /* of requests that it heard */
    unsigned key_count;
};

static uint32_t number(struct world *w, unsigned bytes)
{
    uint32_t value = 0;

    for (; bytes > 0; bytes--) {
        value = value << 8 | (w->data < w->end ? *w->data++ : 0);
    }
    return value;
}

static void raw_start(struct world *w)
{
    struct fixture *f = w->f;
    struct control message = {.type = CONTROL_WORKER_NEW, .incarnation = ++f->incarnation, .pid = getpid()};
    struct error err;
    int fds[2];

    assert_int_equal(channel_pair(fds, &err), 0);
    assert_int_equal(control_send(f->master, &message, fds[0]), 0);
    close(fds[0]);
    turn(f);
    share_init(&w->raw, fds[1]);
    assert_int_equal(share_accept(&w->raw, WAIT_MS, &err), 0);
    w->slot = w->heard = SHARE_FIRST;
    w->key_count = 0;
}

/* -- Deeds --------------------------------------------------------------------------------------------- */

static _Atomic uint32_t *word(struct world *w)
{
    struct share *mine = w->raw.mine;
    _Atomic uint32_t *words[] = {&mine->shown,
                                 &mine->taken,
                                 &mine->asleep_at,
                                 &mine->calls,
                                 &mine->started,
                                 &mine->running,
                                 &mine->wanted,
                                 &mine->over,
                                 &mine->returns.count,
                                 &mine->returns.blocks[number(w, 1) * 8],
                                 &mine->store_returns.count};
    return words[number(w, 1) % (sizeof(words) / sizeof(words[0]))];
}

static void change_a_word(struct world *w)
{
    static const uint32_t steps[] = {1, 0u - 1, 2, 3, 255, 256, 257, 2047, 2048, 2049, 1u << 31, 0u - 256};
    _Atomic uint32_t *where = word(w);

    *where += steps[number(w, 1) % (sizeof(steps) / sizeof(steps[0]))];
}

static void set_a_word(struct world *w)
{
    _Atomic uint32_t *where = word(w);
    *where = number(w, 4);
}

static void set_a_byte(struct world *w)
{
    /* Not all of it often: there is much of the arena. */
    size_t range = number(w, 1) % 4 == 0 ? sizeof(struct share) : offsetof(struct share, bytes);
    ((char *)w->raw.mine)[number(w, 3) % range] = (char)number(w, 1);
}

static void change_a_slot(struct world *w)
{
    struct ring_cell *cell = &w->raw.mine->cells[(w->slot - number(w, 1) % 4) % RING_SLOTS];
    _Atomic uint32_t *fields[] = {&cell->block, &cell->len, &cell->fd_count, &cell->place};

    *fields[number(w, 1) % 4] = number(w, number(w, 1) % 5);
}

static size_t make_frame(struct world *w, char *room)
{
    static const enum frame_type types[] = {FRAME_READY,    FRAME_BUSY,          FRAME_RESPONSE,
                                            FRAME_RESPONSE, FRAME_IDLE,          FRAME_EMIT,
                                            FRAME_HEAP,     FRAME_SOCKET_CLOSED, FRAME_REPLY};
    struct frame frame = {.type = types[number(w, 1) % (sizeof(types) / sizeof(types[0]))]};
    char headers[64], *end = headers;

    if (frame.type == FRAME_RESPONSE && w->key_count > 0) {
        frame.key = w->keys[number(w, 1) % w->key_count];
        end = frame_header_encode(headers, lpm_slice_of("a"), lpm_slice_of("b"));
        frame.header_count = 1;
        frame.data = lpm_slice_of("answer");
    } else if (frame.type == FRAME_EMIT) {
        frame.key.seq = number(w, 1);
        end = frame_header_encode(headers, lpm_slice_of(FRAME_EVENT_NAME), lpm_slice_of("event"));
        frame.header_count = 1;
        frame.flags = number(w, 1) % 2 ? FRAME_WANTS_REPLY : 0;
    }
    frame.headers = (lpm_slice){headers, (size_t)(end - headers)};
    frame_encode(&frame, room);
    return frame_size(&frame);
}

/* Makes it if it has none, and sends it, or something else. */
static char *store(struct world *w)
{
    struct note note = {w->slot, -1};
    int fd;

    if (w->store == NULL) {
        w->store = store_make(&fd);
        assert_non_null(w->store);
        note.fd = number(w, 1) % 8 ? fd : w->f->master;
        note_send(w->raw.socket, &note);
        close(fd);
    }
    return w->store;
}

/* As an honest worker would, or nearly. */
static void publish(struct world *w)
{
    struct share *mine = w->raw.mine;
    uint32_t block = w->slot * 8 % ARENA_BLOCKS;
    enum ring_place place = number(w, 1) % 4 ? RING_ARENA : w->store ? RING_STORE : RING_NEW_STORE;
    char *bytes = place == RING_ARENA ? mine->bytes + (size_t)block * ARENA_BLOCK
                                      : store(w) + (size_t)block * STORE_BLOCK;
    size_t len = make_frame(w, bytes);
    struct ring_cell *cell = &mine->cells[w->slot % RING_SLOTS];

    for (uint32_t tampered = number(w, 1) % 8; tampered > 5; tampered--) {
        bytes[number(w, 1) % len] = (char)number(w, 1);
    }
    cell->block = block;
    cell->len = (uint32_t)len;
    cell->fd_count = 0;
    cell->place = place;
    mine->shown = ++w->slot;
    if (number(w, 1) % 4) {
        bell_ring(w->raw.their);
    }
}

static void hear_requests(struct world *w)
{
    const struct share *theirs = w->raw.theirs;

    for (; w->heard != theirs->shown; w->heard++) {
        const struct ring_cell *cell = &theirs->cells[w->heard % RING_SLOTS];
        struct frame frame;
        const char *why;

        if (cell->place == 0 &&
            frame_decode(&frame, theirs->bytes + (size_t)cell->block * ARENA_BLOCK, cell->len, &why) == 0 &&
            frame.type == FRAME_REQUEST && w->key_count < REQUESTS) {
            w->keys[w->key_count++] = frame.key;
        }
        w->raw.mine->returns.blocks[w->raw.mine->returns.count % ARENA_BLOCKS] = cell->block;
        w->raw.mine->returns.count++;
    }
    w->raw.mine->taken = w->heard;
    w->raw.mine->started = w->key_count > 0 ? w->keys[w->key_count - 1].seq : 0;
}

static void send_on_socket(struct world *w)
{
    uint32_t text[] = {number(w, 1) % 4 ? 0x4e4d504c : number(w, 4), w->slot + number(w, 1) % 3};
    struct iovec part = {text, number(w, 1) % 8 ? sizeof(text) : number(w, 1) % sizeof(text)};
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr head = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    int fd = number(w, 1) % 2 ? w->f->master : w->raw.their;

    if (number(w, 1) % 4 == 0) {
        head.msg_control = NULL;
        head.msg_controllen = 0;
    } else {
        CMSG_FIRSTHDR(&head)->cmsg_level = SOL_SOCKET;
        CMSG_FIRSTHDR(&head)->cmsg_type = SCM_RIGHTS;
        CMSG_FIRSTHDR(&head)->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&head)), &fd, sizeof(fd));
    }
    if (sendmsg(w->raw.socket, &head, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        return; /* full, or over: that is the worker's affair */
    }
}

/* Its counter at its end: the bus must not mind. */
static void fill_the_bell(struct world *w)
{
    uint64_t much = UINT64_MAX - 1 - number(w, 1);
    if (write(w->raw.their, &much, sizeof(much)) < 0) {
        return;
    }
}

static void enqueue_one(struct world *w)
{
    if (w->enqueued < REQUESTS) {
        enqueue(w->f, &w->outcomes[w->enqueued++], LPM_NONE, 1, NULL);
    }
}

static void run_the_bus(struct world *w)
{
    alarm(STUCK_S);
    turn(w->f);
}

static void (*const deeds[])(struct world *w) = {change_a_word, set_a_word,     set_a_byte,    change_a_slot,
                                                 publish,       publish,        publish,       hear_requests,
                                                 hear_requests, send_on_socket, fill_the_bell, enqueue_one,
                                                 enqueue_one,   run_the_bus,    run_the_bus};

/* -- And what the bus is after it ----------------------------------------------------------------------- */

static void end_worker(struct world *w)
{
    share_fini(&w->raw);
    store_free(w->store);
    turn(w->f);
    reap(w->f);
}

/* An honest worker gets what is left, and answers. */
static void check_the_next(struct world *w)
{
    struct fixture *f = w->f;
    struct outcome last;
    struct frame_key key;

    start_ready_worker(f);
    if (enqueue(f, &last, LPM_NONE, 0, NULL) != 0) {
        return; /* the queue may be full of what nobody answered */
    }
    for (int i = 0; i < 1000 && last.calls == 0; i++) {
        while (hear(f, &key) == FRAME_REQUEST) {
            begin(f, key);
            answer_and_return(f, key, "x");
        }
        run_the_bus(w);
    }
    assert_int_equal(last.calls, 1);
    assert_int_equal(last.error, 0);
}

static void live_through(const uint8_t *data, size_t size)
{
    struct world w = {.f = fixture_with(4), .data = data, .end = data + size};

    raw_start(&w);
    while (w.data < w.end) {
        deeds[number(&w, 1) % (sizeof(deeds) / sizeof(deeds[0]))](&w);
    }
    run_the_bus(&w);
    end_worker(&w);
    check_the_next(&w);
    alarm(0);
    for (unsigned i = 0; i < w.enqueued; i++) {
        assert_in_range(w.outcomes[i].calls, 0, 1);
    }
    fixture_free(w.f);
}

#ifdef LPM_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    live_through(data, size);
    return 0;
}

#else

#define LIVES      2000
#define TIME_LIMIT (3 * CLOCK_NS_PER_S)

static uint32_t next_random(uint64_t *random)
{
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return (uint32_t)((*random * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

static void random_deeds(void **state)
{
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15), end = clock_now() + TIME_LIMIT;
    unsigned lives = 0;

    (void)state;
    for (; lives < LIVES && clock_now() < end; lives++) {
        uint8_t data[600];
        size_t size = next_random(&random) % sizeof(data);
        for (size_t i = 0; i < size; i++) {
            data[i] = (uint8_t)next_random(&random);
        }
        live_through(data, size);
    }
    print_message("%u workers\n", lives);
    assert_true(lives > 20);
}

/* -- Another thread ------------------------------------------------------------------------------------- */

static struct scribbler {
    pthread_t thread;
    struct share *memory;
    _Atomic bool stop;
    uint64_t random;
    unsigned harm; /* 0: bytes of messages only; 1: slots, too; 2: everything */
} scribbler;

/* Relaxed words: what another process does is no race to the compiler, and must be none here. */
static void *scribble(void *arg)
{
    struct scribbler *s = arg;
    const size_t begins[] = {offsetof(struct share, bytes), offsetof(struct share, cells), 0};
    size_t begin = begins[s->harm], room = offsetof(struct share, bytes) + 16384 - begin;

    while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
        char *at = (char *)s->memory + begin + (next_random(&s->random) % (room / 4)) * 4;
        atomic_store_explicit((_Atomic uint32_t *)(void *)at, next_random(&s->random), memory_order_relaxed);
    }
    return NULL;
}

static unsigned work_beside(struct world *w, unsigned harm, uint64_t seed)
{
    uint8_t deeds_of_honour[64];
    unsigned turns = 0;

    raw_start(w);
    scribbler = (struct scribbler){.memory = w->raw.mine, .random = seed, .harm = harm};
    assert_int_equal(pthread_create(&scribbler.thread, NULL, scribble, &scribbler), 0);
    for (; turns < 100 && worker(w->f)->state != BUS_WORKER_GONE; turns++) {
        for (size_t i = 0; i < sizeof(deeds_of_honour); i++) {
            deeds_of_honour[i] =
                (uint8_t)(next_random(&seed) % 5); /* no tampering: the other one does that */
        }
        w->data = deeds_of_honour;
        w->end = w->data + sizeof(deeds_of_honour);
        w->enqueued = w->enqueued < REQUESTS ? w->enqueued : 0;
        enqueue_one(w);
        hear_requests(w);
        publish(w);
        publish(w);
        run_the_bus(w);
    }
    atomic_store(&scribbler.stop, true);
    assert_int_equal(pthread_join(scribbler.thread, NULL), 0);
    end_worker(w);
    return turns;
}

static void while_the_bus_reads(void **state)
{
    uint64_t end = clock_now() + TIME_LIMIT / 2;
    unsigned workers = 0, turns = 0;

    (void)state;
    for (; workers < 600 && clock_now() < end; workers++) {
        struct world *w = calloc(1, sizeof(*w));
        assert_non_null(w);
        w->f = fixture_with(4);
        turns += work_beside(w, workers % 3, workers + 1);
        check_the_next(w);
        alarm(0);
        fixture_free(w->f);
        free(w);
    }
    print_message("%u workers, %u turns\n", workers, turns);
    assert_true(workers > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_deeds), cmocka_unit_test(while_the_bus_reads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
