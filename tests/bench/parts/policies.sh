#!/bin/sh
# The policies of dispatch in lpm itself, with good and bad workers under an open-loop load (tests/bench/openloop.c,
# tests/modules/antagonist.c): 8 workers of 5 ms, of which one leaks, one is ten times as slow, one freezes, and one fails at
# once; the load is 95 % of what those can do that do not fail. The same in a simulator: simulation.sh.

. "$SOURCE/tests/bench/lib.sh"

RATE=1140 # of 1200: 4 + 1 that leaks + 0.1 + 0.9 workers, 200 a second each
seconds=$((BENCH_SECONDS * 5))
[ "$BENCH_SECONDS" != 0 ] || seconds=1

# $1: the policy; $2: antagonists on or off; $3: rate; $4: of what; $5: bursty, or nothing
measure() {
    rm -rf lpm
    start_lpm lpm << END
load_module $BUILD/tests/modules/antagonist.so;
antagonists $2;
worker { count 8; rss_limit 256m; dispatch $1; restarts -1; }
http {
    listen 127.0.0.1:0;
    access_log off;
    keepalive_requests 1000000000;
    location / { handler antagonist; }
}
END
    "$BUILD/tests/bench/openloop" "$PORT" / "$3" "$seconds" 1 "$1" "$4" $5 || fail "the load failed with $1, $4"
    stop "$PID"
}

for policy in least_pressure least_loaded prequal round_robin; do
    measure $policy on $RATE 'antagonists, Poisson'
    [ "$BENCH_SECONDS" != 0 ] || exit 0
done
for policy in least_pressure round_robin; do
    measure $policy on $RATE 'antagonists, bursty' bursty
    measure $policy off 1280 'all alike, Poisson'
done
