#!/bin/sh
# Proves the models beside this file with spin: nothing that can happen in them breaks what they assert, and each of their
# mutants, in which one step of the protocol is left out, breaks something; else the model would prove nothing.

MODELS=$(cd "${LPM_SOURCE_DIR:-$(dirname "$0")/../..}/tests/model" && pwd) || exit 2
WORK=$(mktemp -d "${TMPDIR:-/tmp}/lpm-model.XXXXXX") || exit 2
trap 'rm -rf "$WORK"' EXIT
cd "$WORK" || exit 2
FAILED=0

# $1: model, $2: what is left out. Prints how many errors spin found: 0 or 1.
prove() {
    spin "-D$2" -a "$MODELS/$1.pml" > spin.log 2>&1 &&
        ${CC:-cc} -O1 -w -DSAFETY -o pan pan.c > cc.log 2>&1 &&
        ./pan -m100000 > pan.log 2>&1 && ! grep -q 'max search depth too small' pan.log &&
        sed -n 's/.*, errors: \([0-9]*\)$/\1/p' pan.log
}

# $1: model, $2: expected errors, $3: what is left out
check() {
    errors=$(prove "$1" "$3")
    echo "$1 $3: ${errors:-failed to run}"
    if [ "$errors" != "$2" ]; then
        echo "models.sh: error: $1.pml with $3 defined has ${errors:-no} errors, expected $2"
        cat spin.log cc.log pan.log 2> /dev/null
        FAILED=1
    fi
}

check bell 0 NOTHING_LEFT_OUT
for mutant in NO_FENCE_DUE NO_FENCE_ARM NO_FENCE_CALL NO_FENCE_CALLED NO_SECOND_LOOK NO_LOOK_AFTER_CALL; do
    check bell 1 $mutant
done
check end 0 NOTHING_LEFT_OUT
for mutant in NO_FINAL_DRAIN NO_FINAL_DRAIN_AT_DEATH SETTLE_AT_THE_END NO_GENERATION_CHECK; do
    check end 1 $mutant
done
exit $FAILED
