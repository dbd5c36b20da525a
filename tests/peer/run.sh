#!/bin/sh
# usage: BUILD=DIR tests/peer/run.sh
# The same scenario on the npm package load-process-manager and on lpm, by the same ledger: what its README defines must
# come out alike, line by line. Where the package is known to do otherwise both are shown side by side, and lpm's side has
# to be what docs/load-process-manager.md says. Exit status 77: no node, no npm, or no registry to have the package from.

cd "$(dirname "$0")/../.." || exit 2
source=$(pwd)
build=$(cd "${BUILD:-${LPM_BUILD_DIR:-build}}" && pwd) || exit 2
folder=$build/tests/peer
seconds=60
status=0

why=$(tests/peer/install.sh "$folder") || { echo "peer: skipped: $why"; exit 77; }

# A timeout that is reached counts: what came until then is compared.
on_npm() {
    NODE_PATH=$folder/node_modules timeout -k 5 $seconds node "$source/tests/peer/scenario.js" "$1" \
        2> "$folder/npm.$1.err" | sort > "$folder/npm.$1"
    # Its worker that dies of this very thing leaves it behind.
    sed -n 's|^Error: .* EADDRINUSE[^/]*\(/tmp/lpm-child-[0-9]*\.sock\)$|\1|p' "$folder/npm.$1.err" | xargs -r rm -f
}

on_lpm() {
    prefix=$folder/prefix
    rm -rf "$prefix"
    mkdir -p "$prefix/run" "$prefix/conf" "$prefix/logs"
    printf '%s\n' "load_module $build/tests/modules/scenario.so;" "scenario $1;" 'worker { count 2; }' \
        "request { poison_after 5; }" > "$prefix/conf/lpm.conf"
    timeout -k 5 $seconds "$build/lpm" -p "$prefix" 2> "$folder/lpm.$1.err"
    sed -n 's/.*ledger: //p' "$folder/lpm.$1.err" | sort > "$folder/lpm.$1"
}

on_npm main
on_lpm main
if ! diff -u "$folder/npm.main" "$folder/lpm.main"; then
    echo "peer: the README's scenario: not alike (- npm, + lpm)"
    status=1
elif [ "$(wc -l < "$folder/lpm.main")" != 1009 ]; then
    echo "peer: the README's scenario: $(wc -l < "$folder/lpm.main") lines, expected 1009"
    status=1
else
    echo "peer: the README's scenario: 1009 lines, alike"
fi

# What lpm has to say in each part.
expected() {
    echo online
    case $1 in
    timeout) printf '%s\n' 'soft kill after a timeout: done' 'timeout error' ;;
    busy)    printf '%s\n' 'a busy worker gets nothing' 'ready again: the worker lives' ;;
    retries) printf '%s\n' 'retries 1: 2 runs, error' ;;
    esac
}

for part in timeout busy retries; do
    on_npm $part
    on_lpm $part
    expected $part | sort > "$folder/expected"
    if ! diff -u "$folder/expected" "$folder/lpm.$part"; then
        echo "peer: $part: lpm does not what it should (- expected, + lpm)"
        status=1
    fi
    diff "$folder/npm.$part" "$folder/lpm.$part" |
        sed -n "s/^< /peer: $part: npm: /p; s/^> /peer: $part: lpm: /p"
done
exit $status
