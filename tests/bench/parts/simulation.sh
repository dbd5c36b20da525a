#!/bin/sh
# The policies of dispatch in a simulator: the same functions on a virtual clock. All of its tables are in
# BUILD/bench_dispatch.txt and .json; as figures, what 95 % load gives. What lpm and others do with too much load is in
# BUILD/bench_queue.txt.

. "$SOURCE/tests/bench/lib.sh"

if [ "$BENCH_SECONDS" = 0 ]; then
    "$BUILD/tests/bench/simulation" 500 tables.txt tables.json
    "$BUILD/tests/bench/sim_queue" 500 > queue.txt
else
    "$BUILD/tests/bench/simulation" 50000 "$BUILD/bench_dispatch.txt" "$BUILD/bench_dispatch.json"
    "$BUILD/tests/bench/sim_queue" 100000 > "$BUILD/bench_queue.txt"
fi
