/*
 * The bells of core/ipc/bell.h: a writer and a reader of a ring, who sleep when they find nothing, or no room, are never both
 * asleep, or one of them for ever, while there is something for them; and each message is read once, as it was written.
 *
 * Memory is that of a processor which may delay each store behind the loads that follow it: a side's stores go through a
 * queue, in order, and a fence waits until it is empty. Indexes wrap at 8. What is left out with -D must fail:
 * NO_FENCE_DUE, NO_FENCE_ARM, NO_FENCE_CALL, NO_FENCE_CALLED, NO_SECOND_LOOK, NO_LOOK_AFTER_CALL.
 */
#define MESSAGES 4
#define SLOTS    2 /* of the ring */
#define BLOCKS   2 /* of the arena: a message takes one until it is given back */
#define FIRST    6
#define MOD      8

#define minus(a, b) (((a) + MOD - (b)) % MOD)

/* Shared memory: what the writer shows, and the reader. */
#define SHOWN    0
#define CALLS    1
#define SLOT     2 /* and 3 */
#define TAKEN    4
#define ASLEEP   5
#define RETURNED 6
byte memory[7];

chan writers_stores = [3] of { byte, byte };
chan readers_stores = [3] of { byte, byte };

/* Edges of the eventfds that are not heard yet. */
bool readers_bell, writers_bell;

#define fence(stores) empty(stores)

active [1] proctype writers_buffer()
{
    byte where, what;
end:
    do
    :: d_step { writers_stores ? where, what; memory[where] = what }
    od
}

active [1] proctype readers_buffer()
{
    byte where, what;
end:
    do
    :: d_step { readers_stores ? where, what; memory[where] = what }
    od
}

inline publish()
{
    if
    :: published != next ->
        before = published;
        published = next;
        writers_stores ! SHOWN, published;
#ifndef NO_FENCE_DUE
        fence(writers_stores);
#endif
        if
        :: minus(memory[ASLEEP], before) < minus(published, before) -> readers_bell = true
        :: else
        fi
    :: else
    fi
}

inline refresh()
{
    taken = memory[TAKEN];
    returned = memory[RETURNED]
}

#define room (minus(next, taken) < SLOTS && minus(next, returned) < BLOCKS)

proctype writer()
{
    byte next = FIRST, published = FIRST, before, taken = FIRST, returned = FIRST, calls, written;

    do
    :: written == MESSAGES -> break
    :: written < MESSAGES ->
        do
        :: room -> break
        :: else ->
            refresh();
            if
            :: room -> break
            :: else
            fi;
            publish();
            calls++;
            writers_stores ! CALLS, calls;
#ifndef NO_FENCE_CALL
            fence(writers_stores);
#endif
#ifndef NO_LOOK_AFTER_CALL
            refresh();
#endif
            if
            :: room -> break
            :: else
            fi;
            atomic { writers_bell -> writers_bell = false };
            refresh()
        od;
        written++;
        writers_stores ! SLOT + next % SLOTS, written;
        next = (next + 1) % MOD;
        if
        :: publish()
        :: skip /* with the next */
        fi
    od;
    publish()
}

inline answer_call()
{
#ifndef NO_FENCE_CALLED
    fence(readers_stores);
#endif
    if
    :: memory[CALLS] != answered -> answered = memory[CALLS]; writers_bell = true
    :: else
    fi
}

inline give_back()
{
    held--;
    returned = (returned + 1) % MOD;
    readers_stores ! RETURNED, returned;
    if
    :: next == shown -> answer_call()
    :: else
    fi
}

proctype reader()
{
    byte next = FIRST, shown = FIRST, returned = FIRST, answered, read, held;

    do
    :: read == MESSAGES -> break
    :: held > 0 -> give_back() /* at any time */
    :: read < MESSAGES && next != shown ->
        read++;
        held++;
        assert(memory[SLOT + next % SLOTS] == read);
        next = (next + 1) % MOD;
        readers_stores ! TAKEN, next
    :: read < MESSAGES && next == shown ->
        shown = memory[SHOWN];
        if
        :: next == shown ->
            readers_stores ! ASLEEP, next;
#ifndef NO_FENCE_ARM
            fence(readers_stores);
#endif
#ifndef NO_SECOND_LOOK
            shown = memory[SHOWN];
#endif
            if
            :: next == shown ->
                answer_call();
                do
                :: atomic { readers_bell -> readers_bell = false }; break
                :: held > 0 -> give_back() /* a timer, or another descriptor; and back to sleep */
                od
            :: else
            fi
        :: else
        fi
    od;
    do
    :: held > 0 -> give_back()
    :: else -> break
    od
}

init
{
    atomic {
        memory[SHOWN] = FIRST;
        memory[TAKEN] = FIRST;
        memory[ASLEEP] = FIRST;
        memory[RETURNED] = FIRST;
        run writer();
        run reader()
    }
}
