#!/bin/sh
# Requests that a module in the bus enqueues, a handler answers, and the bus gets back: how many a second, with one outstanding
# how long each takes, and what the bus spends on each. Beside the bare channel and its limits (tests/bench/roundtrip), and the
# npm package load-process-manager. Then how that grows with the queue and with the workers.

. "$SOURCE/tests/bench/lib.sh"

# $1: workers; $2: whose figures these are; then words "OUTSTANDING:BYTES:FIGURE", with _ for a blank
measure() {
    workers=$1 who=$2
    shift 2
    rm -rf lpm
    mkdir -p lpm/conf lpm/logs lpm/run
    {
        echo 'error_log logs/error.log notice;'
        echo "load_module $BUILD/tests/modules/bench.so;"
        echo "worker { count $workers; concurrency 1000; }"
        echo 'request { queue_limit 2000000; queue_bytes 4g; timeout -1; }'
        for step; do
            set -- $(echo "$step" | tr ':' ' ')
            echo "bench_round_trips $1 $2 $MILLISECONDS \"$(echo "$3" | tr '_' ' ')\" \"$who\";"
        done
    } > lpm/conf/lpm.conf
    start lpm.log "$BUILD/lpm" -p "$PWD/lpm"
    wait "$PID" || fail "lpm failed: $(tail -n 3 lpm.log lpm/logs/error.log)"
    ! grep -h 'crit' lpm/logs/error.log >&2 || fail 'a round trip failed'
    sed -n 's/.*figure: //p' lpm/logs/error.log
}

grid() {
    for payload in 64:64_B 4096:4_KiB 65536:64_KiB 1048576:1_MiB; do
        for outstanding in 1 8 64 256 1024; do
            # More than 256 MiB are not outstanding.
            [ $((outstanding * ${payload%:*})) -gt 268435456 ] ||
                echo "$outstanding:${payload%:*}:${payload#*:},_${outstanding}_outstanding"
        done
    done
}

npm() {
    peer=$BUILD/tests/peer
    if why=$("$SOURCE/tests/peer/install.sh" "$peer"); then
        NODE_PATH=$peer/node_modules timeout 60 node "$SOURCE/tests/bench/npm.js" $((MILLISECONDS * 5)) ||
            fail 'the npm package failed'
    else
        missing 'npm package' "$why"
    fi
}

if [ "$BENCH_SECONDS" = 0 ]; then
    measure 2 lpm 1:64:64_B,_1_outstanding 8:1048576:1_MiB,_8_outstanding
    "$BUILD/tests/bench/roundtrip" "$MILLISECONDS"
    exit 0
fi

measure 1 lpm $(grid)
"$BUILD/tests/bench/roundtrip" "$MILLISECONDS"
npm
measure 2 'lpm, 2 workers' $(grid)
measure 4 'lpm, 4 workers' $(grid)

# Beside what the two workers have at most, 64 each.
for queued in 10 1000 100000 1000000; do
    measure 2 lpm "$((queued + 128)):64:${queued}_queued"
done
for workers in 2 16 64 256; do
    measure $workers lpm "1:64:1_outstanding,_${workers}_workers"
done
