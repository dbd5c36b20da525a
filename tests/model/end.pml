/*
 * The end of a worker, as core/bus sees it (bus_worker, bus_end, bus_settle), and as the master does: each request has one
 * outcome; one that was answered before the end of the channel is not failed and runs no second time; one without a retry
 * runs once; and no process is killed for another one's end.
 *
 * The first worker may end its channel and die at any moment, in this order or at once, and go on to run and to answer in
 * between; the second, at the same place, is a good one. What is left out with -D must fail:
 * NO_FINAL_DRAIN, NO_FINAL_DRAIN_AT_DEATH, SETTLE_AT_THE_END, NO_GENERATION_CHECK.
 */
#define REQUESTS 3
#define WORKERS  2

#define WAITS    0
#define SENT     1
#define ANSWERED 2
#define FAILED   3

/* The memory of each worker's channel: which requests it was sent, the board, and which it has answered. */
typedef channel {
    byte sent[REQUESTS], sent_count;
    byte started;
    byte answers[REQUESTS], shown;
    byte shown_at_end; /* when its socket closed */
    bool closed
};
channel channels[WORKERS];

bool dead[WORKERS], doomed[WORKERS]; /* doomed: SIGKILL is on its way */
byte state[REQUESTS], runs[REQUESTS];

#define KILL 0
#define GONE 1
#define NEW  2
chan to_master = [4] of { byte, byte };
chan to_bus = [4] of { byte, byte };

/* A good one ends when all is done; the other one whenever it likes. */
proctype worker(byte me)
{
    byte request;
end:
    do
    :: atomic { doomed[me] -> break }
    :: atomic { me == 0 && !channels[me].closed ->
           channels[me].closed = true;
           channels[me].shown_at_end = channels[me].shown }
    :: me == 0 -> break /* dies of itself */
    :: channels[me].started < channels[me].sent_count ->
        request = channels[me].sent[channels[me].started];
        channels[me].started++;
        /* Here it may die, too: started, and the handler has not run, or has. */
        if
        :: runs[request]++
        :: me == 0 -> break
        fi;
        if
        :: channels[me].answers[channels[me].shown] = request; channels[me].shown++
        :: me == 0 -> break
        fi
    od;
    atomic {
        if
        :: !channels[me].closed ->
            channels[me].closed = true;
            channels[me].shown_at_end = channels[me].shown
        :: else
        fi;
        dead[me] = true
    }
}

/* Reaps, tells, and forks the next; kills whom the bus names. */
proctype master()
{
    byte type, who, now;
end:
    do
    :: to_master ? type, who ->
#ifndef NO_GENERATION_CHECK
        if
        :: who == now -> doomed[now] = true
        :: else /* that one is gone */
        fi;
#else
        doomed[now] = true;
#endif
        assert(!doomed[1])
    :: atomic { now == 0 && dead[0] ->
           now = 1;
           to_bus ! GONE, 0;
           run worker(1);
           to_bus ! NEW, 1 }
    od
}

/* Takes in the answers before `end`. */
inline receive(end)
{
    do
    :: read < end ->
        r = channels[at].answers[read];
        assert(state[r] == SENT);
        state[r] = ANSWERED;
        read++
    :: else -> break
    od
}

/* The ring is looked at after the end was seen. */
inline drain()
{
    limit = channels[at].shown;
    receive(limit)
}

/* What has no answer: it had started, or another worker may have it, but not before this one is dead. */
inline settle(is_dead)
{
    i = 0;
    do
    :: i < channels[at].sent_count ->
        r = channels[at].sent[i];
        if
        :: state[r] == SENT && i < channels[at].started -> state[r] = FAILED
        :: state[r] == SENT && i >= channels[at].started && is_dead -> state[r] = WAITS
        :: else
        fi;
        i++
    :: else -> break
    od
}

proctype bus()
{
    byte at, read, limit, r, i, type, who;
    bool over, absent;

    do
    :: atomic { state[0] >= ANSWERED && state[1] >= ANSWERED && state[2] >= ANSWERED -> break }
    /* sends */
    :: !over && !absent && (state[0] == WAITS || state[1] == WAITS || state[2] == WAITS) ->
        r = (state[0] == WAITS -> 0 : (state[1] == WAITS -> 1 : 2));
        channels[at].sent[channels[at].sent_count] = r;
        state[r] = SENT;
        channels[at].sent_count++
    /* hears */
    :: !over && !absent && read < channels[at].shown ->
        limit = channels[at].shown;
        receive(limit)
    /* sees the end of the channel: the process may go on */
    :: !over && !absent && channels[at].closed ->
#ifndef NO_FINAL_DRAIN
        drain();
#endif
        over = true;
        to_master ! KILL, at;
#ifndef SETTLE_AT_THE_END
        settle(false)
#else
        settle(true)
#endif
    /* hears that it is dead */
    :: to_bus ? type, who ->
        if
        :: type == GONE && who == at && !absent ->
            if
            :: !over ->
#ifndef NO_FINAL_DRAIN_AT_DEATH
                drain()
#endif
            :: else
            fi;
            /* All that had been answered when its socket closed was taken in. */
            assert(read >= channels[at].shown_at_end);
            settle(true);
            absent = true
        :: type == NEW ->
            at = who;
            read = 0;
            over = false;
            absent = false
        :: else
        fi
    od;

    /* The one outcome of each, and how often it ran for it. */
    i = 0;
    do
    :: i < REQUESTS ->
        assert(runs[i] <= 1);
        assert(state[i] == FAILED || runs[i] == 1);
        i++
    :: else -> break
    od
}

init
{
    atomic {
        run worker(0);
        run master();
        run bus()
    }
}
