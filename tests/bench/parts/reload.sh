#!/bin/sh
# How long a reload takes, and what it does to requests under load, beside nginx.

. "$SOURCE/tests/bench/lib.sh"

# Long enough for a reload.
seconds=$((BENCH_SECONDS * 2))
if have nginx; then
    "$BUILD/tests/bench/reload" $seconds nginx
else
    missing nginx 'it is not installed'
    "$BUILD/tests/bench/reload" $seconds
fi
