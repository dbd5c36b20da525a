/*
 * What workers say. Runs in the bus. Whatever comes is hostile until it has been checked; a worker that breaks the rules has
 * to go.
 */
#include "bus/bus_input.h"

#include "bus/bus_batch.h"
#include "bus/bus_event.h"
#include "bus/bus_lifecycle.h"
#include "bus/bus_memory.h"
#include "bus/bus_reopen.h"
#include "bus/bus_succession.h"
#include "bus/bus_timeout.h"
#include "os/os_stream.h"

static void on_ready(struct bus_worker *w)
{
    w->busy = false;
    if (w->state == BUS_WORKER_STARTING && (w->removed || w->sent_home)) {
        w->state = BUS_WORKER_LEAVING;
        bus_worker_go_home(w);
    } else if (w->state == BUS_WORKER_STARTING) {
        w->state = BUS_WORKER_SERVING;
        w->was_ready_now = true;
        bus_memory_begin(w);
        bus_lifecycle_worker_ready(w);
        bus_succession_ready(w);
    }
}

/* The answer's headers go to clients: they are held to what lpm_respond_header() accepts. `*failed`: it says of itself that it
 * is a failure of the server. */
static bool headers_are_sound(const struct frame *frame, bool *failed)
{
    lpm_header header;
    size_t cursor = 0;

    *failed = false;
    while (frame_header_next(frame->headers, &cursor, &header)) {
        if (!frame_header_valid(header.name, header.value)) {
            return false;
        }
        if (header.value.len > 0 && header.value.data[0] == '5' && lpm_slice_is(header.name, ":status")) {
            *failed = true;
        }
    }
    return true;
}

/* `fds`: what came with it; what the callback does not take is closed with the message. */
static const char *on_response(struct bus_worker *w, const struct frame *frame, int *fds)
{
    struct bus *bus = w->pool->bus;
    struct bus_request *req = frame->key.slot < w->slot_count ? w->slots[frame->key.slot] : NULL;
    bool streamed = (frame->flags & FRAME_STREAM) != 0;
    struct bus_answer answer = {frame->header_count,   frame->headers,         frame->data,
                                streamed ? fds : NULL, streamed && fds[0] < 0, bus->heard_at};
    bool failed;

    if (!req || req->key.seq != frame->key.seq) {
        return "an answer to no request of its own";
    }
    if (frame->error != 0 && (frame->error != LPM_ECANCELED || req->waited)) {
        return "an answer with an error that is not its to give";
    }
    if (!headers_are_sound(frame, &failed)) {
        return "an answer with a header that cannot be";
    }
    if (streamed && !answer.lost && os_stream_admit(&fds[0]) != 0) {
        return "an answer with a stream that is no socket and no pipe";
    }
    w->answered++;
    bus_worker_let_go_of(w, req);
    w->slots[frame->key.slot] = NULL;
    w->free_slots[w->free_count++] = frame->key.slot;
    bus_worker_load(w)->in_flight--;
    list_remove(&req->link);
    bus_timeout_answered(w, req, answer.at);
    bus_batch_answered(w, req, failed);
    bus_request_finish(bus, req, 0, "", &answer, false);
    bus_worker_go_home(w);
    return NULL;
}

static const char *on_socket_closed(struct bus_worker *w)
{
    struct bus_load *load = bus_worker_load(w);

    if (load->sockets == 0) {
        return "it closed a socket more than it was given";
    }
    load->sockets--;
    return NULL;
}

const char *bus_input_act(struct bus_worker *w, struct channel_message *message)
{
    struct frame frame;
    const char *why;
    enum policy_phase phase = w->state == BUS_WORKER_STARTING  ? POLICY_STARTING
                              : w->state == BUS_WORKER_SERVING ? POLICY_SERVING
                                                               : POLICY_DRAINING;

    if (frame_decode(&frame, message->data, message->len, &why) != 0) {
        return why;
    }
    if (!policy_frame(POLICY_WORKER, phase, frame.type)) {
        return "a message that is not its to send now";
    }
    if (message->fd_count != ((frame.flags & FRAME_STREAM) != 0 ? 1 : 0)) {
        return "descriptors that its message does not tell of";
    }
    switch (frame.type) {
    case FRAME_READY:
        on_ready(w);
        return NULL;
    case FRAME_BUSY:
        w->busy = true;
        return NULL;
    case FRAME_RESPONSE:
        return on_response(w, &frame, message->fds);
    case FRAME_EMIT:
        return bus_event_emitted(w, &frame);
    case FRAME_HEAP:
        w->heap_total = frame.heap_total;
        w->heap_used = frame.heap_used;
        return NULL;
    case FRAME_SOCKET_CLOSED:
        return on_socket_closed(w);
    case FRAME_LOG_TAKEN:
        return bus_reopen_taken(w, &frame);
    default:
        return NULL; /* IDLE: there may be room for the next, which the end of the turn sees */
    }
}
