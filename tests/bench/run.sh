#!/bin/sh
# usage: BUILD=DIR tests/bench/run.sh
#
# Measures lpm beside its peers on this machine, interleaved, and prints a table; the same figures,
# with each run's, go to BUILD/bench.json. Run it with nothing else running.
#
#   hello    throughput (wrk -t1 -c64) and CPU time of all server processes for each request: the
#            module hello in one worker, through the bus and directly (listen ADDRESS handoff), beside
#            nginx with one worker and "return 200"
#   others   each program BUILD/tests/bench/bench_*, which prints lines "name value unit"
#
# Environment: LPM_BENCH_RUNS (5), LPM_BENCH_SECONDS (2, of each run).

set -e
LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH

RUNS=${LPM_BENCH_RUNS:-5}
SECONDS_EACH=${LPM_BENCH_SECONDS:-2}
CONNECTIONS=64
LPM_PID=
NGINX_PID=

fail() {
    echo "tests/bench/run.sh: error: $1" >&2
    exit 1
}

[ -n "$BUILD" ] && [ -x "$BUILD/lpm" ] || fail "BUILD must name a folder with a built lpm"
WORK=$(mktemp -d "${TMPDIR:-/tmp}/lpm-bench.XXXXXX")
chmod 755 "$WORK"

end_all() {
    status=$?
    trap - EXIT
    for pid in $LPM_PID $NGINX_PID; do
        kill -TERM "$pid" 2> /dev/null || :
        wait "$pid" 2> /dev/null || :
    done
    rm -rf "$WORK"
    exit $status
}
trap end_all EXIT
trap 'exit 1' HUP INT TERM

# ---------------------------------------------------------------------------------------------
# The servers. Both answer "hello\n" as text/plain, keep connections alive and log no access.

# Waits until the port $1 answers; $2 is whose it is, $3 its log.
wait_for() {
    tries=0
    until curl -s -o /dev/null "http://127.0.0.1:$1/"; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { cat "$3" >&2; fail "$2 does not answer"; }
        sleep 0.1
    done
}

start_lpm() {
    mkdir -p "$WORK/lpm/conf" "$WORK/lpm/logs" "$WORK/lpm/run"
    ln -s "$BUILD/modules" "$WORK/lpm/modules"
    cat > "$WORK/lpm/conf/lpm.conf" << END
error_log logs/error.log info;
load_module modules/lpm_http.so;
load_module modules/lpm_hello.so;
worker { count 1; }
http {
    listen 127.0.0.1:0;
    listen 127.0.0.1:0 handoff;
    access_log off;
    keepalive_requests 1000000000;
    location / { handler hello; }
}
END
    "$BUILD/lpm" -p "$WORK/lpm" -g 'daemon off;' &
    LPM_PID=$!
    tries=0
    until set -- $(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$WORK/lpm/logs/error.log" 2> /dev/null) &&
        [ $# = 2 ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || fail "lpm does not start"
        sleep 0.1
    done
    LPM_PORT=$1
    DIRECT_PORT=$2
    wait_for "$LPM_PORT" lpm "$WORK/lpm/logs/error.log"
}

# A port that nobody has.
free_port() {
    awk 'NR > 1 { split($2, a, ":"); used[a[2]] = 1 }
         END { for (port = 20080; port < 30000; port++) if (!(sprintf("%04X", port) in used)) { print port; exit } }' \
        /proc/net/tcp
}

start_nginx() {
    mkdir -p "$WORK/nginx"
    NGINX_PORT=$(free_port)
    user=
    [ "$(id -u)" != 0 ] || user="user nobody nogroup;"
    cat > "$WORK/nginx/nginx.conf" << END
$user
worker_processes 1;
daemon off;
master_process on;
pid $WORK/nginx/nginx.pid;
error_log $WORK/nginx/error.log;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000000;
    default_type text/plain;
    client_body_temp_path $WORK/nginx/body;
    proxy_temp_path $WORK/nginx/proxy;
    fastcgi_temp_path $WORK/nginx/fastcgi;
    uwsgi_temp_path $WORK/nginx/uwsgi;
    scgi_temp_path $WORK/nginx/scgi;
    server {
        listen 127.0.0.1:$NGINX_PORT;
        location / { return 200 "hello\n"; }
    }
}
END
    nginx -p "$WORK/nginx" -e "$WORK/nginx/error.log" -c "$WORK/nginx/nginx.conf" &
    NGINX_PID=$!
    wait_for "$NGINX_PORT" nginx "$WORK/nginx/error.log"
}

# ---------------------------------------------------------------------------------------------
# Measuring

# CPU time, in clock ticks, that the process $1 and its children have used. The title of a process
# may hold blanks: the numbers begin behind the last ")".
cpu_ticks() {
    cat /proc/[0-9]*/stat 2> /dev/null | awk -v master="$1" '
        { pid = $1; sub(/.*\) /, ""); if (pid == master || $2 == master) sum += $12 + $13 }
        END { print sum + 0 }'
}

# Loads one server ($1: its name, $2: port, $3: pid) for $4 seconds: "name requests/s us/request" on
# standard output. Fails when an answer was not good.
measure() {
    before=$(cpu_ticks "$3")
    wrk -t1 -c$CONNECTIONS -d"$4"s "http://127.0.0.1:$2/" > "$WORK/wrk" || fail "wrk failed against $1"
    after=$(cpu_ticks "$3")
    ! grep -E 'Non-2xx|Socket errors' "$WORK/wrk" >&2 || fail "$1 did not answer all requests well"
    awk -v name="$1" -v ticks=$((after - before)) -v hertz="$(getconf CLK_TCK)" '
        / requests in / { requests = $1 }
        /^Requests\/sec:/ { rate = $2 }
        END { printf "%s %.0f %.2f\n", name, rate, ticks / hertz * 1e6 / requests }' "$WORK/wrk"
}

answer_size() {
    curl -s -o /dev/null -w '%{size_header} %{size_download}' "http://127.0.0.1:$1/" | awk '{ print $1 + $2 }'
}

start_lpm
start_nginx
echo "hello: wrk -t1 -c$CONNECTIONS, $RUNS runs of $SECONDS_EACH s each, interleaved; nginx $(nginx -v 2>&1 | sed 's/.*\///')" \
    "answers with $(answer_size "$NGINX_PORT") bytes, lpm with $(answer_size "$LPM_PORT")"
measure lpm "$LPM_PORT" "$LPM_PID" 1 > /dev/null
measure direct "$DIRECT_PORT" "$LPM_PID" 1 > /dev/null
measure nginx "$NGINX_PORT" "$NGINX_PID" 1 > /dev/null
run=0
while [ $run -lt "$RUNS" ]; do
    run=$((run + 1))
    measure lpm "$LPM_PORT" "$LPM_PID" "$SECONDS_EACH" >> "$WORK/figures"
    measure direct "$DIRECT_PORT" "$LPM_PID" "$SECONDS_EACH" >> "$WORK/figures"
    measure nginx "$NGINX_PORT" "$NGINX_PID" "$SECONDS_EACH" >> "$WORK/figures"
    echo "    run $run of $RUNS: $(tail -n 3 "$WORK/figures" | awk '{ printf "%s %d/s  ", $1, $2 }')"
done

: > "$WORK/programs"
for program in "$BUILD"/tests/bench/bench_*; do
    if [ -x "$program" ] && [ ! -d "$program" ]; then
        echo "$(basename "$program"):"
        mkdir -p "$WORK/empty"
        (cd "$WORK/empty" && "$program") > "$WORK/program" || fail "$(basename "$program") failed"
        sed 's/^/    /' "$WORK/program"
        sed "s/^/$(basename "$program") /" "$WORK/program" >> "$WORK/programs"
    fi
done

# ---------------------------------------------------------------------------------------------
# Telling

awk -v json="$BUILD/bench.json" -v machine="$(uname -sr), $(nproc) processors" \
    -v date="$(date -u +%Y-%m-%dT%H:%M:%SZ)" -v connections=$CONNECTIONS '
    function sorted(list, n,    i, j, t) {
        for (i = 2; i <= n; i++) {
            t = list[i]
            for (j = i - 1; j > 0 && list[j] > t; j--) list[j + 1] = list[j]
            list[j + 1] = t
        }
    }
    # Puts the figures of one server and one measure in order: median, least and most.
    function sum_up(who, what,    list, i, n) {
        n = count[who]
        all[who, what] = ""
        for (i = 1; i <= n; i++) {
            list[i] = figure[who, what, i] + 0
            all[who, what] = all[who, what] (i > 1 ? ", " : "") list[i]
        }
        sorted(list, n)
        least[who, what] = list[1]
        most[who, what] = list[n]
        median[who, what] = n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    function row(label, who, what, form,    ratio) {
        ratio = median["nginx", what] > 0 ? median[who, what] / median["nginx", what] : 0
        printf "%-26s", label
        printf " %24s", sprintf(form " (" form ".." form ")", median[who, what], least[who, what], most[who, what])
        printf " %24s", sprintf(form " (" form ".." form ")", median["nginx", what], least["nginx", what], most["nginx", what])
        printf " %9.2f\n", ratio
        ratios[who, what] = ratio
    }
    function object(who, what) {
        return sprintf("{\"median\": %s, \"min\": %s, \"max\": %s, \"runs\": [%s]}", \
                       median[who, what], least[who, what], most[who, what], all[who, what])
    }
    function part(name, who) {
        printf "  \"%s\": {\n    \"requests_per_second\": {\"lpm\": %s, \"nginx\": %s, \"ratio\": %.3f},\n", \
               name, object(who, "rate"), object("nginx", "rate"), ratios[who, "rate"] > json
        printf "    \"cpu_us_per_request\": {\"lpm\": %s, \"nginx\": %s, \"ratio\": %.3f}\n  },\n", \
               object(who, "cpu"), object("nginx", "cpu"), ratios[who, "cpu"] > json
    }
    FILENAME ~ /programs$/ {
        programs = programs sprintf("%s\n    {\"program\": \"%s\", \"name\": \"%s\", \"value\": %s, \"unit\": \"%s\"}", \
                                    programs == "" ? "" : ",", $1, $2, $3, $4)
        next
    }
    { count[$1]++; figure[$1, "rate", count[$1]] = $2; figure[$1, "cpu", count[$1]] = $3 }
    END {
        sum_up("lpm", "rate"); sum_up("lpm", "cpu"); sum_up("direct", "rate"); sum_up("direct", "cpu")
        sum_up("nginx", "rate"); sum_up("nginx", "cpu")
        printf "\n%-26s %24s %24s %9s\n", "median (min..max)", "lpm", "nginx", "lpm/nginx"
        row("hello, requests/s", "lpm", "rate", "%.0f")
        row("hello, CPU us/request", "lpm", "cpu", "%.1f")
        row("direct, requests/s", "direct", "rate", "%.0f")
        row("direct, CPU us/request", "direct", "cpu", "%.1f")
        printf "{\n  \"date\": \"%s\",\n  \"machine\": \"%s\",\n  \"connections\": %d,\n", date, machine, connections > json
        part("hello", "lpm")
        part("direct", "direct")
        printf "  \"programs\": [%s\n  ]\n}\n", programs > json
    }' "$WORK/figures" "$WORK/programs"
echo "the figures of each run: $BUILD/bench.json"
