#!/bin/sh
# What the headers of a request cost: 1 to 64 of them, through the bus and directly, beside nginx. All of lpm's go to the handler.

. "$SOURCE/tests/bench/lib.sh"

start_lpm lpm << END
worker { count 1; }
http {
    listen 127.0.0.1:0;
    listen 127.0.0.1:0 handoff;
    access_log off;
    keepalive_requests 1000000000;
    location / { handler bench; }
}
END
LPM_PID=$PID LPM_PORT=$PORT DIRECT_PORT=$DIRECT
NGINX_PID=
if have nginx; then
    start_nginx nginx << END
server { listen PORT; location / { return 200 "hello\n"; } }
END
    NGINX_PID=$PID NGINX_PORT=$PORT
    wait_until nginx answers "http://127.0.0.1:$PORT/"
else
    missing nginx 'it is not installed'
fi

for count in 1 4 16 64; do
    # wrk sends Host by itself.
    set --
    for i in $(seq 2 $count); do
        set -- "$@" -H "x-header-$i: the value of a header"
    done
    load lpm "$count headers" "http://127.0.0.1:$LPM_PORT/" "$LPM_PID" "$@"
    load 'lpm direct' "$count headers" "http://127.0.0.1:$DIRECT_PORT/" "$LPM_PID" "$@"
    [ -z "$NGINX_PID" ] || load nginx "$count headers" "http://127.0.0.1:$NGINX_PORT/" "$NGINX_PID" "$@"
done
