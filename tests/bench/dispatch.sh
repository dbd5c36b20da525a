#!/bin/sh
# usage: BUILD=DIR tests/bench/dispatch.sh
#
# The policies of dispatch with good and bad workers: in the simulator (BUILD/bench_dispatch.txt and .json have all
# of it, here is a part), then in lpm itself under an open-loop load (tests/bench/openloop.c, tests/modules/antagonist.c):
# 8 workers of 5 ms, of which one leaks, one is ten times as slow, one freezes, and one fails at once; the load is 95 % of what
# those can do that do not fail.
#
# Environment: LPM_BENCH_SECONDS (5, of each run).

set -e
LC_ALL=C
export LC_ALL

SECONDS_EACH=${LPM_BENCH_SECONDS:-5}
RATE=1140 # of 1200: 4 + 1 that leaks + 0.1 + 0.9 workers, 200 a second each
LPM_PID=

fail() {
    echo "tests/bench/dispatch.sh: error: $1" >&2
    exit 1
}

[ -n "$BUILD" ] && [ -x "$BUILD/lpm" ] || fail "BUILD must name a folder with a built lpm"
WORK=$(mktemp -d "${TMPDIR:-/tmp}/lpm-bench.XXXXXX")
chmod 755 "$WORK"

stop_lpm() {
    [ -z "$LPM_PID" ] || { kill -TERM "$LPM_PID" 2> /dev/null; wait "$LPM_PID" 2> /dev/null; } || :
    LPM_PID=
}

end_all() {
    status=$?
    trap - EXIT
    stop_lpm
    rm -rf "$WORK"
    exit $status
}
trap end_all EXIT
trap 'exit 1' HUP INT TERM

# $1: the policy; $2: antagonists on or off
start_lpm() {
    rm -rf "$WORK/lpm"
    mkdir -p "$WORK/lpm/conf" "$WORK/lpm/logs" "$WORK/lpm/run"
    ln -s "$BUILD/modules" "$WORK/lpm/modules"
    cat > "$WORK/lpm/conf/lpm.conf" << END
error_log logs/error.log info;
load_module modules/lpm_http.so;
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
    "$BUILD/lpm" -p "$WORK/lpm" -g 'daemon off;' &
    LPM_PID=$!
    tries=0
    until grep -q 'is online' "$WORK/lpm/logs/error.log" 2> /dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { cat "$WORK/lpm/logs/error.log" >&2; fail "lpm does not start"; }
        sleep 0.1
    done
    PORT=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$WORK/lpm/logs/error.log")
}

# $1: policy; $2: antagonists; $3: rate; $4: bursty, or nothing
measure() {
    start_lpm "$1" "$2"
    "$BUILD/tests/bench/openloop" "$PORT" / "$3" "$SECONDS_EACH" 1 $4 > "$WORK/figures" || fail "the load generator failed"
    stop_lpm
    awk -v policy="$1" -v shape="$2 ${4:-Poisson}" -v rate="$3" -v seconds="$SECONDS_EACH" '
        { figure[$1] = $2 }
        END { printf "%-15s %-14s %9.1f %9.1f %9.1f %7d %7d %7d %7d\n", policy, shape, figure["p50"], figure["p99"],
                     figure["p99.9"], figure["good"], figure["failed"], figure["refused"], figure["unanswered"] }' \
        "$WORK/figures" | tee -a "$WORK/table"
}

"$BUILD/tests/bench/sim_dispatch" "$BUILD/bench_dispatch.json" > "$BUILD/bench_dispatch.txt"
echo "dispatch, simulated:"
grep -A 8 'service 5 ms, 95 % load' "$BUILD/bench_dispatch.txt"
echo
echo "too much load, simulated:"
"$BUILD/tests/bench/sim_queue"
echo
echo "dispatch, lpm itself: 8 workers of 5 ms, open loop, $SECONDS_EACH s each"
printf '%-15s %-14s %9s %9s %9s %7s %7s %7s %7s\n' policy 'antagonists' 'p50 ms' 'p99 ms' 'p99.9 ms' good failed refused lost
for policy in least_pressure least_loaded prequal round_robin; do
    measure $policy on $RATE
done
measure least_pressure on $RATE bursty
measure round_robin on $RATE bursty
measure least_pressure off 1280
measure round_robin off 1280
awk '$2 == "on" { p99[$1, $3] = $5 }
     END { printf "\nround_robin / least_pressure, p99: %.1f (Poisson), %.1f (bursty)\n",
           p99["round_robin", "Poisson"] / p99["least_pressure", "Poisson"],
           p99["round_robin", "bursty"] / p99["least_pressure", "bursty"] }' "$WORK/table"
