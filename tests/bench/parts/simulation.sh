#!/bin/sh
# The policies of dispatch in a simulator: the same functions on a virtual clock. All of its tables are in
# BUILD/bench_dispatch.txt and .json; as figures, what 95 % load gives.

. "$SOURCE/tests/bench/lib.sh"

requests=50000
[ "$BENCH_SECONDS" != 0 ] || requests=500
"$BUILD/tests/bench/simulation" $requests "$BUILD/bench_dispatch.txt" "$BUILD/bench_dispatch.json"
