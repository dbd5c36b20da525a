#!/bin/sh
# The documents against the sources: each log line that docs/operations.md quotes is one that the code
# writes, each file that a document links to exists, and each test that docs/load-process-manager.md names is
# one that is run. Fails with one line for each that is not so.

cd "${LPM_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 2
status=0
sources=$(mktemp) && quoted=$(mktemp) || exit 2
trap 'rm -f "$sources" "$quoted"' EXIT

# Texts as the compiler joins them, what printf fills in as a line end.
find core modules -name '*.c' -exec cat {} + | tr '\n' ' ' |
    sed 's/"  *"//g; s/\\"/"/g; s/%[-.0-9l]*[a-z]/\n/g' > "$sources"

# What stands between the examples of such values, in the table after "Worth an alarm" and in the line of
# a start.
{
    sed -n '/^One line for each thing/,/^## /s/^| `\([^`]*\)` |.*/\1/p' docs/operations.md
    sed -n '/^It is online when/,/^##/s/^    //p' docs/operations.md
} | sed 's/default\/0/\n/; s/died of/\n&/; s/; it ran/\n&/; s/lpm\/[0-9.]*//; s/SIGSEGV\|\bID\b\|<why>\|pool default\|\.\.\./\n/g; s/"x"/"\n"/g; s/[0-9][0-9.]*/\n/g' |
    sed 's/^[ (s]*//; s/[ ]*$//' | awk 'length > 5' > "$quoted"
[ "$(wc -l < "$quoted")" -ge 15 ] || { echo "docs/operations.md: its log lines were not found"; exit 1; }
while IFS= read -r part; do
    grep -qF -- "$part" "$sources" || { echo "docs/operations.md quotes \"$part\": no log line has it"; status=1; }
done < "$quoted"

for document in README.md docs/*.md; do
    for target in $(grep -oE '\]\([^)#:]+[#)]' "$document" | sed 's/^](//; s/[#)]$//'); do
        [ -e "$(dirname "$document")/$target" ] || { echo "$document: no file \"$target\""; status=1; }
    done
done

# A test is named as `KIND/FILE:FUNCTION`; it counts when the file has the function and puts it into its list.
page=docs/load-process-manager.md
grep -o '`[a-z]*/test_[a-z0-9_]*\.cc\{0,1\}:[a-z0-9_]*`' "$page" | tr -d '`' | sort -u > "$quoted"
[ "$(wc -l < "$quoted")" -ge 30 ] || { echo "$page: its tests were not found"; status=1; }
while IFS=: read -r file name; do
    [ "$(grep -cE "static void $name\(|[( ]$name[,)]" "tests/$file" 2> /dev/null)" -ge 2 ] ||
        { echo "$page names $name in tests/$file, which runs no such test"; status=1; }
done < "$quoted"
# Every row of its tables of calls ends with one.
awk -v page="$page" '/^\|/ && !/^\| Seed/ && !/^\|---/ && !/\.cc?:[a-z0-9_]+` \|$/ {
    print page ": a row without a test: " $0; bad = 1 } END { exit bad }' "$page" || status=1
exit $status
