#!/bin/sh
# What an idle keep-alive connection costs, in bytes of the process that has it: lpm's bus, lpm's worker (`listen ... handoff`),
# nginx. "bytes each": what the process has grown by since it had none. "bytes each, all": with what it had reserved for them when
# it started, beyond the same server with a limit of 100 connections.

. "$SOURCE/tests/bench/lib.sh"

many=10000
[ "$BENCH_SECONDS" != 0 ] || many=100

# The child of $1 whose title begins with $2.
child() {
    for pid in $(cat "/proc/$1/task/$1/children"); do
        case $(tr '\0' ' ' < "/proc/$pid/cmdline") in "$2"*) echo "$pid" ;; esac
    done
}

# $1: folder; $2: how many connections there may be
lpm() {
    start_lpm "$1" << END
worker { count 1; }
http {
    listen 127.0.0.1:0;
    listen 127.0.0.1:0 handoff;
    access_log off;
    max_connections $2;
    location / { handler bench; }
}
END
    answers "http://127.0.0.1:$PORT/" && answers "http://127.0.0.1:$DIRECT/" || fail 'lpm does not answer'
    BUS=$(child "$PID" 'lpm: bus') WORKER=$(child "$PID" 'lpm: worker')
}

# The same.
nginx_of() {
    CONNECTIONS=$2
    start_nginx "$1" << END
server { listen PORT backlog=4096; keepalive_timeout 1h; location / { return 200 "hello\n"; } }
END
    wait_until nginx answers "http://127.0.0.1:$PORT/"
    WORKER=$(child "$PID" 'nginx: worker')
}

measure() {
    "$BUILD/tests/bench/idle" "$@" $many || fail "$1 does not keep its connections"
}

lpm small 100
SMALL_BUS=$BUS SMALL_WORKER=$WORKER
lpm large $((many + 1000))
measure lpm "$PORT" "$BUS" "$SMALL_BUS"
measure 'lpm direct' "$DIRECT" "$WORKER" "$SMALL_WORKER"

if have nginx; then
    nginx_of nginx-small 100
    SMALL_WORKER=$WORKER
    nginx_of nginx-large $((many + 1000))
    measure nginx "$PORT" "$WORKER" "$SMALL_WORKER"
else
    missing nginx 'it is not installed'
fi
