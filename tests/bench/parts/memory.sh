#!/bin/sh
# What the bus's looks at the memory of its workers cost.

. "$SOURCE/tests/bench/lib.sh"

"$BUILD/tests/bench/memory"
