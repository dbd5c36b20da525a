#!/bin/sh
# What the choice of a worker costs, by policy and number of workers.

. "$SOURCE/tests/bench/lib.sh"

rounds=4000
[ "$BENCH_SECONDS" != 0 ] || rounds=100
"$BUILD/tests/bench/dispatch" $rounds
