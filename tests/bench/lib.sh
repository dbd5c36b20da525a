# For tests/bench/parts/*.sh, which source it. A part measures everything once and prints figures (tests/lib/figure.h) on
# standard output; what is for people goes to standard error. It runs in an empty folder of its own; its servers end with it,
# however that comes.
#
# Environment, from tests/bench/run.sh: SOURCE, BUILD, BENCH_SECONDS (of each load; 0: one request, to see that it works).

set -e
LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH

SERVERS=
MILLISECONDS=$((BENCH_SECONDS * 100)) # of what needs less time than a load
[ "$BENCH_SECONDS" != 0 ] || MILLISECONDS=2

fail() {
    echo "tests/bench: error: $1" >&2
    exit 1
}

end_all() {
    status=$?
    trap - EXIT
    stop $SERVERS
    exit $status
}
trap end_all EXIT
trap 'exit 1' HUP INT TERM

# $1: value; $2: unit; $3: who; $4: of what
figure() {
    printf '{"figure": "%s", "who": "%s", "value": %s, "unit": "%s"}\n' "$4" "$3" "$1" "$2"
}

# $1: who; $2: why
missing() {
    printf '{"who": "%s", "missing": "%s"}\n' "$1" "$2"
}

have() {
    command -v "$1" > /dev/null 2>&1
}

# Starts a server whose output goes to the file $1, and sets PID. It hears TERM when this script dies.
start() {
    log=$1
    shift
    setpriv --pdeathsig TERM -- "$@" > "$log" 2>&1 &
    PID=$!
    SERVERS="$SERVERS $PID"
}

# Ends servers by their pids; one that has ended may have left its number to somebody else.
stop() {
    for pid; do
        [ "$(sed 's/.*) . //; s/ .*//' "/proc/$pid/stat" 2> /dev/null)" = $$ ] || continue
        kill -TERM "$pid" 2> /dev/null || :
        wait "$pid" 2> /dev/null || :
    done
}

# Runs the command until it succeeds, 20 s at the most; $1 is what is waited for.
wait_until() {
    waited_for=$1
    shift
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 400 ] || fail "$waited_for does not start: $(tail -n 3 ./*.log)"
        sleep 0.05
    done
}

answers() {
    curl -s -f -o /dev/null "$@"
}

# A port that nobody has.
free_port() {
    awk 'NR > 1 { split($2, a, ":"); used[a[2]] = 1 }
         END { for (port = 20080; port < 30000; port++) if (!(sprintf("%04X", port) in used)) { print port; exit } }' \
        /proc/net/tcp
}

# -- Servers. Each sets PID, and PORT unless it listens on a socket in the folder. All keep connections alive and log no access.

# $1: folder; the configuration on standard input. Waits until it is online. PORT and DIRECT are its first two listeners.
start_lpm() {
    mkdir -p "$1/conf" "$1/logs" "$1/run"
    ln -s "$BUILD/modules" "$1/modules"
    {
        echo 'error_log logs/error.log info;'
        echo 'load_module modules/lpm_http.so;'
        echo "load_module $BUILD/tests/modules/bench.so;"
        cat
    } > "$1/conf/lpm.conf"
    start "$1.log" "$BUILD/lpm" -p "$PWD/$1"
    wait_until "lpm ($1)" grep -qs 'is online' "$1/logs/error.log"
    set -- $(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$1/logs/error.log")
    PORT=$1
    DIRECT=$2
}

# $1: folder; the http block's contents on standard input, in which PORT stands for a port and DIR for the folder. It has room
# for $CONNECTIONS connections (1024).
start_nginx() {
    mkdir -p "$1"
    chmod 755 "$1"
    PORT=$(free_port)
    {
        [ "$(id -u)" != 0 ] || echo 'user nobody nogroup;'
        echo "worker_processes 1; worker_rlimit_nofile 20000; daemon off; pid nginx.pid; error_log nginx.log;"
        echo "events { worker_connections ${CONNECTIONS:-1024}; }"
        echo 'http { access_log off; keepalive_requests 1000000000; default_type text/plain; sendfile on; tcp_nopush on;'
        echo 'client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;'
        cat
        echo '}'
    } | sed "s|PORT|127.0.0.1:$PORT|; s|DIR|$PWD/$1|" > "$1/nginx.conf"
    start "$1.log" nginx -p "$PWD/$1" -e nginx.log -c "$PWD/$1/nginx.conf"
}

# -- Load over HTTP

# CPU time, in clock ticks, that these processes and their children have used. The title of a process may hold blanks: the
# numbers begin behind the last ")".
cpu_ticks() {
    cat /proc/[0-9]*/stat 2> /dev/null | awk -v masters=" $* " '
        { pid = $1; sub(/.*\) /, ""); if (index(masters, " " pid " ") || index(masters, " " $2 " ")) sum += $12 + $13 }
        END { print sum + 0 }'
}

# Loads one server: $1: who; $2: of what; $3: URL; $4: pids of its masters; then arguments of wrk. Prints requests/s and CPU
# us/request; MiB/s, too, if $BODY is not empty: the bytes of an answer. Fails when an answer was not good.
load() {
    who=$1 what=$2 url=$3 pids=$4
    shift 4
    if [ "$BENCH_SECONDS" = 0 ]; then
        answers "$url" || fail "$who does not answer $url"
        figure 1 requests/s "$who" "$what"
        return
    fi
    before=$(cpu_ticks $pids)
    wrk -t1 -c64 -d"${BENCH_SECONDS}s" "$@" "$url" > wrk.out || fail "wrk failed against $who"
    after=$(cpu_ticks $pids)
    ! grep -E 'Non-2xx|Socket errors' wrk.out >&2 || fail "$who did not answer all requests well: $what"
    awk -v ticks=$((after - before)) -v hertz="$(getconf CLK_TCK)" -v who="$who" -v what="$what" -v body="$BODY" '
        function figure(value, unit) {
            printf "{\"figure\": \"%s\", \"who\": \"%s\", \"value\": %.9g, \"unit\": \"%s\"}\n", what, who, value, unit
        }
        / requests in / { requests = $1 }
        /^Requests\/sec:/ { rate = $2 }
        END {
            figure(rate, "requests/s")
            figure(ticks / hertz * 1e6 / requests, "CPU us/request")
            if (body != "") figure(rate * body / 1048576, "MiB/s")
        }' wrk.out
}
