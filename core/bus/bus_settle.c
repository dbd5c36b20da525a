/*
 * The requests of a worker that died. Runs in the bus.
 */
#include "bus/bus_settle.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "bus/bus_quarantine.h"

struct boards_word {
    uint32_t unstarted, running;
};

static bool had_started(const struct bus_worker *w, const struct bus_request *req,
                        const struct boards_word *board)
{
    /* Whatever the board says now: the worker was seen to have what came with it. */
    bool let_go = req->with_descriptor && req->stream < 0 && req->socket < 0;
    return let_go || w->seq - req->key.seq >= board->unstarted;
}

static bool is_to_blame(const struct bus_worker *w, const struct bus_request *req,
                        const struct boards_word *board)
{
    return board->running == req->key.seq && had_started(w, req, board);
}

static enum bus_retry_verdict judge(const struct bus_worker *w, const struct bus_request *req,
                                    const struct boards_word *board)
{
    struct bus_retry facts = {
        .waited = req->waited,
        .started = had_started(w, req, board),
        .running = board->running == req->key.seq,
        .left = req->with_descriptor ? 0 : req->retries_left, /* what was read of it is gone */
        .kills = req->kills + is_to_blame(w, req, board),
        .poison_after = w->pool->bus->start->core->poison_after};

    return bus_retry_decide(&facts);
}

static void blame(struct bus_worker *w, struct bus_request *req, const struct boards_word *board)
{
    if (is_to_blame(w, req, board)) {
        req->kills++;
        memcpy(w->death.blamed, req->id, sizeof(w->death.blamed));
        w->death.module = req->handler->name;
    }
}

static void requeue(struct bus_worker *w, struct bus_request *req, bool free_of_charge)
{
    list_remove(&req->link);
    if (free_of_charge) {
        w->death.requeued++;
    } else {
        w->death.retried++;
        req->retries_left--;
    }
    bus_pool_push_back(w->pool, req);
}

static void fail(struct bus_worker *w, struct bus_request *req)
{
    char text[160] = "the worker died while it had the request";

    if (req->waited) {
        w->death.failed++;
    }
    if (req->kills > 1) {
        snprintf(text, sizeof(text), "%u workers died while they ran the request", req->kills);
    }
    if (req->poison) {
        bus_quarantine_add(w->pool->bus, req);
    }
    bus_request_finish(w->pool->bus, req, req->poison ? LPM_EPOISON : LPM_EWORKER, text, NULL, false);
}

static struct boards_word read_board(const struct bus_worker *w)
{
    struct boards_word board = {0, 0};
    uint32_t count = 0;

    LIST_EACH(link, after, &w->sent)
    {
        count++;
    }
    if (w->over) {
        board.unstarted = bus_retry_unstarted(w->seq, channel_started(w->over), count);
        board.running = channel_running(w->over);
    }
    return board;
}

/* From the last to the first: each goes to the head of the queue, before those that were sent after it. */
static void settle_all(struct bus_worker *w, bool dead, struct list *failed)
{
    struct boards_word board = read_board(w);
    struct list *link = w->sent.prev;

    w->death.called = board.running == CHANNEL_CALL;
    while (link != &w->sent) {
        struct bus_request *req = LIST_ENTRY(link, struct bus_request, link);
        enum bus_retry_verdict verdict = judge(w, req, &board);
        bool again = verdict == BUS_RETRY_FREE || verdict == BUS_RETRY_AGAIN;

        link = link->prev;
        if (again && !dead) {
            continue;
        }
        blame(w, req, &board);
        req->poison = verdict == BUS_RETRY_POISON;
        if (again) {
            requeue(w, req, verdict == BUS_RETRY_FREE);
        } else {
            list_remove(&req->link);
            list_insert(failed, &req->link);
        }
    }
}

void bus_settle_death(struct bus_worker *w, bool dead)
{
    struct list failed;

    list_init(&failed);
    settle_all(w, dead, &failed);
    /* Last of all what calls modules back: they may do anything, and find all in order. */
    while (!list_empty(&failed)) {
        struct bus_request *req = LIST_ENTRY(failed.next, struct bus_request, link);
        list_remove(&req->link);
        fail(w, req);
    }
}

void bus_settle_log(const struct bus_worker *w, int status)
{
    char end[TEXT_EXIT_SIZE], ran[256] = "";
    bool orderly = w->sent_home && status == 0;

    if (orderly) {
        return;
    }
    if (w->death.blamed[0]) {
        snprintf(ran, sizeof(ran), "; it ran request %s of module \"%s\"", w->death.blamed, w->death.module);
    } else if (w->death.called) {
        snprintf(ran, sizeof(ran), "; it ran a request of a connection of its own");
    }
    log_write(w->pool->bus->log, LPM_LOG_WARN,
              "worker %s (pid %d) %s: %u requests requeued, %u retried, %u failed%s", w->name, (int)w->pid,
              text_exit(status, end, sizeof(end)), w->death.requeued, w->death.retried, w->death.failed, ran);
}
