#!/bin/sh
# usage: BUILD=DIR tests/bench/run.sh [PART...]
#
# Measures lpm beside its peers and its limits on this machine: runs each of the parts (tests/bench/parts; all of them if none is
# named) BENCH_RUNS times, interleaved, and puts the figures together in a table and in BENCH_JSON. Each part prints
# figures, one line of JSON each (tests/lib/figure.h). Run it with nothing else running. Peers that are not here are left out.
#
# Environment: BENCH_RUNS (5), BENCH_SECONDS (1, of each load; 0: one request each, to see that it
# all works), BENCH_JSON (BUILD/bench.json).

LC_ALL=C
export LC_ALL

SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
BENCH_RUNS=${BENCH_RUNS:-5}
BENCH_SECONDS=${BENCH_SECONDS:-1}
BENCH_JSON=${BENCH_JSON:-$BUILD/bench.json}
export SOURCE BUILD BENCH_SECONDS

fail() {
    echo "tests/bench/run.sh: error: $1" >&2
    exit 1
}

[ -n "$BUILD" ] && [ -x "$BUILD/lpm" ] || fail "BUILD must name a folder with a built lpm"
[ $# -gt 0 ] || set -- bus http headers idle dispatch memory reload policies simulation
for part; do
    [ -f "$SOURCE/tests/bench/parts/$part.sh" ] ||
        fail "no part \"$part\", there are: $(cd "$SOURCE/tests/bench/parts" && echo *.sh | sed 's/\.sh//g')"
done

WORK=$(mktemp -d "${TMPDIR:-/tmp}/lpm-bench.XXXXXX") || fail "cannot make a folder in ${TMPDIR:-/tmp}"
chmod 755 "$WORK"
PID=
end_all() {
    status=$?
    trap - EXIT
    [ -z "$PID" ] || { kill -TERM $PID 2> /dev/null; wait $PID; } 2> /dev/null
    rm -rf "$WORK"
    exit $status
}
trap end_all EXIT
trap 'exit 1' HUP INT TERM

# What is the same in each run, or takes long and has no peer: once is enough.
once() {
    case $1 in simulation | policies) return 0 ;; esac
    return 1
}

# $1: part; $2: run
measure() {
    begin=$(date +%s)
    mkdir -p -m 755 "$WORK/$1"
    (cd "$WORK/$1" && exec setpriv --pdeathsig TERM -- sh "$SOURCE/tests/bench/parts/$1.sh") \
        > "$WORK/figures.part" 2> "$WORK/errors" < /dev/null &
    PID=$!
    wait $PID
    status=$?
    PID=
    sed "s/^{/{\"part\": \"$1\", \"run\": $2, /" "$WORK/figures.part" >> "$WORK/figures"
    rm -rf "${WORK:?}/$1"
    if [ $status != 0 ]; then
        cat "$WORK/errors" >&2
        echo "run $2 of $BENCH_RUNS: $1 failed" >&2
        failed="$failed $1"
    else
        echo "run $2 of $BENCH_RUNS: $1, $(wc -l < "$WORK/figures.part") figures, $(($(date +%s) - begin)) s"
    fi
}

: > "$WORK/figures"
failed=
run=1
while [ $run -le "$BENCH_RUNS" ]; do
    for part; do
        [ $run -gt 1 ] && once "$part" || measure "$part" $run
    done
    run=$((run + 1))
done
"$BUILD/tests/bench/table" "$WORK/figures" "$BENCH_JSON" "$(uname -srm), $(nproc) processors" \
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)" || exit 1
echo
echo "all figures, run by run: $BENCH_JSON"
[ -z "$failed" ] || fail "not everything was measured:$failed"
