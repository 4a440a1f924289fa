#!/usr/bin/env bash
# One object between two processes on loopback by every transport, beside curl from nginx, in one run:
#   bench/throughput.sh [MiB] [runs] > docs/experiments/throughput-table.md
# MB/s is what the reader waits for, process start, look-up and its disk store included; CPU is that of both
# processes (reader: wait4; server: /proc), in seconds per GB of content. The best run of each row is told.
set -euo pipefail
cd "$(dirname "$0")/.."
mib=${1:-64} runs=${2:-3}
w=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$w"' EXIT
if [ -n "${NT:-}" ]; then cp "$NT" "$w/nt"; else CGO_ENABLED=0 go build -o "$w/nt" .; fi # NT: a binary that is there already
mkdir -p "$w/site" "$w/ng"
head -c $((mib << 20)) /dev/urandom >"$w/site/object"
sum=$(sha256sum "$w/site/object" | cut -d' ' -f1)
tick=$(getconf CLK_TCK)

cpu_of() { # user and system ticks of the processes
	local p s=0
	for p in "$@"; do s=$((s + $(awk '{sub(/^.*\) /, ""); print $12 + $13}' "/proc/$p/stat"))); done
	echo $s
}

row() { # name, server pids, command...
	local name=$1 servers=$2 best=
	shift 2
	for _ in $(seq "$runs"); do
		rm -rf "$w/cache" "$w/out"
		local before after line
		before=$(cpu_of $servers)
		line=$({ TIMEFORMAT='%R %U %S'; time "$@" >/dev/null 2>"$w/err"; } 2>&1) || { cat "$w/err" >&2; echo "| $name | failed | |"; return; }
		echo "$sum  $w/out" | sha256sum -c --quiet
		after=$(cpu_of $servers)
		line=$(awk -v mib="$mib" -v t="$line" -v s=$((after - before)) -v hz="$tick" 'BEGIN {
			split(t, f, " "); gb = mib * 1048576 / 1e9
			printf "%.1f %.2f\n", gb * 1000 / f[1], (f[2] + f[3] + s / hz) / gb }')
		best=$(printf '%s\n%s\n' "$best" "$line" | sort -rn | head -1)
	done
	echo "| $name | ${best% *} | ${best#* } |"
}

world() { # roulette's wire: a tracker and a seed; sets port, seed
	printf '[transport.roulette]\nwire = "%s"\n' "$1" >"$w/$1.toml"
	port=$2
	"$w/nt" tracker --listen "127.0.0.1:$port" --allow-private --cache "$w/t$1" 2>"$w/tracker$1.log" &
	pids+=($!)
	sleep 1
	"$w/nt" seed "$w/site" --config "$w/$1.toml" --http-addr "127.0.0.1:$((port + 1))" --url "http://127.0.0.1:$((port + 1))/" \
		--listen "127.0.0.1:$((port + 2))" --tracker "127.0.0.1:$port" --allow-private --cache "$w/s$1" >"$w/seed$1.log" 2>&1 &
	seed=$!
	pids+=($seed)
	for _ in $(seq 100); do
		"$w/nt" fetch --config "$w/$1.toml" --no-origin --cache "$w/probe" --tracker "127.0.0.1:$port" --allow-private -q -m 20 \
			--checksum "sha-256=$sum" -o /dev/null "http://127.0.0.1:$((port + 1))/object" 2>"$w/err" && break
		sleep 0.5
		rm -rf "$w/probe"
	done
}

fetch() { # wire, transport
	row "nt $2${3:-}" "$seed" "$w/nt" fetch --config "$w/$1.toml" --no-origin --transport "$2" --cache "$w/cache" --tracker "127.0.0.1:$port" \
		--allow-private -q -m 300 --checksum "sha-256=$sum" -o "$w/out" "http://127.0.0.1:$((port + 1))/object"
}

echo "| $mib MiB between two processes | MB/s | CPU s/GB |"
echo "|---|---|---|"
world kcp 17700
fetch kcp roulette "/kcp"
fetch kcp bittorrent
fetch kcp http
world udp 17710
fetch udp roulette "/udp"
if nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null); then
	cat >"$w/ng/conf" <<-EOF
		daemon off; master_process off; pid $w/ng/pid; error_log $w/ng/log;
		events {}
		http { access_log off; client_body_temp_path $w/ng/b; proxy_temp_path $w/ng/p; fastcgi_temp_path $w/ng/f; uwsgi_temp_path $w/ng/u; scgi_temp_path $w/ng/s;
		sendfile on; server { listen 127.0.0.1:17720; root $w/site; } }
	EOF
	chmod -R a+rX "$w"
	"$nginx" -c "$w/ng/conf" 2>/dev/null &
	pids+=($!)
	sleep 1
	row "curl from nginx" "${pids[-1]}" curl -sf -o "$w/out" http://127.0.0.1:17720/object
fi
