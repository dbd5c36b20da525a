#!/bin/sh
# HTTP over the loopback, wrk with one thread and 64 connections: requests a second, and the processor time of all server
# processes for each. lpm with one worker, through the bus and directly (`listen ... handoff`), beside
#
#     nginx           one worker, `return 200`; for 1 MiB a file, by sendfile()
#     nginx -> unix   one nginx in front of another, over a unix socket with connections that are kept; for large bodies also
#                     with buffers that hold all of one
#     haproxy         one thread, `http-request return`
#     evhttp          libevent's HTTP server in one process
#     bare loop       no HTTP: what the kernel alone costs (tests/bench/serve_bare.c)

. "$SOURCE/tests/bench/lib.sh"

kilobyte=$(printf '%1024s' '' | tr ' ' x)

# $1: of what; $2: path; then arguments of wrk. Each server that runs and has such an answer.
load_all() {
    what=$1 path=$2
    shift 2
    load lpm "$what" "http://127.0.0.1:$LPM_PORT$path" "$LPM_PID" "$@"
    load 'lpm direct' "$what" "http://127.0.0.1:$DIRECT_PORT$path" "$LPM_PID" "$@"
    if [ -n "$NGINX_PID" ]; then
        load nginx "$what" "http://127.0.0.1:$NGINX_PORT$path" "$NGINX_PID" "$@"
        load 'nginx -> unix' "$what" "http://127.0.0.1:$PROXY_PORT$path" "$PROXY_PID $NGINX_PID" "$@"
    fi
    case $path in
    /65536 | /1048576)
        [ -z "$NGINX_PID" ] ||
            load 'nginx -> unix, tuned' "$what" "http://127.0.0.1:$PROXY_PORT/large$path" "$PROXY_PID $NGINX_PID" "$@"
        ;;
    / | /1024)
        [ -z "$HAPROXY_PID" ] || load haproxy "$what" "http://127.0.0.1:$HAPROXY_PORT$path" "$HAPROXY_PID" "$@"
        ;;
    esac
    load evhttp "$what" "http://127.0.0.1:$EVHTTP_PORT$path" "$EVHTTP_PID" "$@"
    case $path$* in
    / | /*.lua | /1048576) load 'bare loop' "$what" "http://127.0.0.1:$BARE_PORT$path" "$BARE_PID" "$@" ;;
    esac
}

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
    mkdir -p nginx
    head -c 1048576 /dev/zero | tr '\0' x > nginx/1048576
    chmod 644 nginx/1048576
    start_nginx nginx << END
server {
    listen PORT;
    listen unix:DIR/nginx.sock;
    location / { return 200 "hello\n"; }
    set \$k "$kilobyte";
    set \$m "\$k\$k\$k\$k\$k\$k\$k\$k\$k\$k\$k\$k\$k\$k\$k\$k";
    location = /1024 { return 200 "\$k"; }
    location = /65536 { return 200 "\$m\$m\$m\$m"; }
    location = /1048576 { root DIR; }
}
END
    NGINX_PID=$PID NGINX_PORT=$PORT
    wait_until nginx answers "http://127.0.0.1:$PORT/"
    start_nginx proxy << END
upstream nginx { server unix:$PWD/nginx/nginx.sock; keepalive 128; keepalive_requests 1000000000; }
server {
    listen PORT;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_max_temp_file_size 0;
    location / { proxy_pass http://nginx; }
    location /large/ {
        proxy_pass http://nginx/;
        proxy_buffers 8 256k;
        proxy_buffer_size 256k;
        proxy_busy_buffers_size 1m;
    }
}
END
    PROXY_PID=$PID PROXY_PORT=$PORT
    wait_until 'nginx -> unix' answers "http://127.0.0.1:$PORT/"
else
    missing nginx 'it is not installed'
    missing 'nginx -> unix' 'nginx is not installed'
fi

HAPROXY_PID=
if have haproxy; then
    HAPROXY_PORT=$(free_port)
    cat > haproxy.cfg << END
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout client 60s
    timeout http-keep-alive 60s
frontend front
    bind 127.0.0.1:$HAPROXY_PORT
    http-request return status 200 content-type text/plain string "$kilobyte" if { path /1024 }
    http-request return status 200 content-type text/plain string "hello\n"
END
    start haproxy.log haproxy -db -f haproxy.cfg
    HAPROXY_PID=$PID
    wait_until haproxy answers "http://127.0.0.1:$HAPROXY_PORT/"
else
    missing haproxy 'it is not installed'
fi

EVHTTP_PORT=$(free_port)
start evhttp.log "$BUILD/tests/bench/serve_evhttp" "$EVHTTP_PORT"
EVHTTP_PID=$PID
wait_until evhttp answers "http://127.0.0.1:$EVHTTP_PORT/"

BARE_PORT=$(free_port)
start bare.log "$BUILD/tests/bench/serve_bare" "$BARE_PORT"
BARE_PID=$PID
wait_until 'bare loop' answers "http://127.0.0.1:$BARE_PORT/"

cat > pipelined.lua << END
init = function(args)
    local one = wrk.format("GET", "/")
    all = string.rep(one, 16)
end
request = function() return all end
END

load_all hello /
load_all 'pipelined, 16 at a time' / -s pipelined.lua
load_all 'a connection each' / -H 'Connection: close'
load_all '1 KiB body' /1024
load_all '64 KiB body' /65536
BODY=1048576
load_all '1 MiB body' /1048576
