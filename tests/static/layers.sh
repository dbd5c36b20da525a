#!/bin/sh
# The direction of the includes: include <- base <- {ipc, conf, loader, os} <- role <- the roles <-
# main; roles never include each other; modules see include/ and their own folder only.
# Fails with one line for each include that goes another way.

cd "${LPM_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 2

# Every project include as "file:line:header": <...> and "..." alike.
includes() {
    find "$@" -name '*.[ch]' -exec grep -HnE '^[[:space:]]*#[[:space:]]*include' {} + 2> /dev/null |
        sed -E 's/^([^:]*:[0-9]+):[^<"]*([<"][^>"]*).*/\1:\2/'
}

includes include core modules | awk -F: '
    BEGIN {
        # What each folder of core may include besides itself and include/.
        may["base"]   = ""
        may["ipc"]    = "base"
        may["conf"]   = "base"
        may["os"]     = "base"
        may["loader"] = "base conf"
        may["role"]   = "base ipc conf loader os"
        roles = "base ipc conf loader os role"
        may["master"] = may["trial"] = may["bus"] = may["worker"] = may["crash"] = may["ctl"] = roles
        may["main"]   = roles " master trial bus worker crash ctl"

        # Libraries that the privileged process must not touch.
        refused["master"] = "jansson.h dlfcn.h pthread.h"
    }

    function has(list, word) { return index(" " list " ", " " word " ") > 0 }
    function bad(why) { printf "%s:%s: includes \"%s\": %s\n", $1, $2, header, why; failed = 1 }

    {
        n = split($1, file, "/")
        folder = file[2]
        quoted = substr($3, 1, 1) == "\""
        header = substr($3, 2)
        split(header, part, "/")
        slash = index(header, "/") > 0
    }

    header ~ /(^|\/)\.\.\// { bad("a project include names no parent folder"); next }

    file[1] == "include" {
        if (quoted) bad("a public header includes <lpm/...> and system headers only")
        next
    }

    file[1] == "modules" {
        if (quoted && slash) bad("a module includes <lpm/...> and files of its own folder only")
        next
    }

    !(folder in may) { bad("unknown folder core/" folder ": give it a place in tests/static/layers.sh"); next }

    !quoted {
        if (has(refused[folder], header)) bad("core/" folder " must not use that library")
        next
    }

    # Without a folder: a neighbour, or what configure wrote.
    !slash { next }

    part[1] != folder && !has(may[folder], part[1]) {
        bad("core/" folder " may include only " (may[folder] == "" ? "itself" : "itself, " may[folder]))
    }

    END { exit failed }
'
