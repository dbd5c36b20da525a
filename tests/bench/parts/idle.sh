#!/bin/sh
# What an idle keep-alive connection costs, in bytes of the process that has it: lpm's bus, lpm's worker (`listen ... handoff`),
# nginx.

. "$SOURCE/tests/bench/lib.sh"

# $1: who; $2: port; $3: pid of the master; $4: what the title of its process begins with
measure() {
    for pid in $(cat "/proc/$3/task/$3/children"); do
        case $(tr '\0' ' ' < "/proc/$pid/cmdline") in
        "$4"*) "$BUILD/tests/bench/idle" "$1" "$2" "$pid" $most || fail "$1 does not keep its connections" ;;
        esac
    done
}

most=
[ "$BENCH_SECONDS" != 0 ] || most=100

start_lpm lpm << END
worker { count 1; }
http {
    listen 127.0.0.1:0;
    listen 127.0.0.1:0 handoff;
    access_log off;
    max_connections 15000;
    location / { handler bench; }
}
END
measure lpm "$PORT" "$PID" 'lpm: bus'
measure 'lpm direct' "$DIRECT" "$PID" 'lpm: worker'
stop "$PID"
if have nginx; then
    start_nginx nginx << END
server { listen PORT backlog=4096; keepalive_timeout 1h; location / { return 200 "hello\n"; } }
END
    wait_until nginx answers "http://127.0.0.1:$PORT/"
    measure nginx "$PORT" "$PID" 'nginx: worker'
else
    missing nginx 'it is not installed'
fi
