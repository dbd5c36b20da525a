#!/bin/sh
# The policies of dispatch in a simulator: the same functions on a virtual clock. All of its tables are in
# BUILD/bench_dispatch.txt and .json; as figures, what 95 % load gives.

. "$SOURCE/tests/bench/lib.sh"

if [ "$BENCH_SECONDS" = 0 ]; then
    "$BUILD/tests/bench/simulation" 500 tables.txt tables.json
else
    "$BUILD/tests/bench/simulation" 50000 "$BUILD/bench_dispatch.txt" "$BUILD/bench_dispatch.json"
fi
