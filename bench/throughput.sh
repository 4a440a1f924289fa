#!/usr/bin/env bash
# One object between two processes on loopback by every transport, beside curl from nginx, in one run:
#   bench/throughput.sh [MiB] [rounds] > docs/experiments/throughput-table.md
# MB/s is what the reader waits for, process start, look-up and its disk store included; CPU is that of both
# processes (reader: wait4; server: /proc), in seconds per GB of content. Every round has each row once, in turn, so that what else the
# machine does meets all of them alike; medians of the rounds are told, with the least and the most, and roulette beside bittorrent
# by the medians and round by round.
set -euo pipefail
cd "$(dirname "$0")/.."
mib=${1:-64} rounds=${2:-5}
w=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$w"' EXIT
if [ -n "${NT:-}" ]; then cp "$NT" "$w/nt"; else CGO_ENABLED=0 go build -o "$w/nt" .; fi # NT: a binary that is there already
mkdir -p "$w/site" "$w/ng" "$w/rows"
head -c $((mib << 20)) /dev/urandom >"$w/site/object"
sum=$(sha256sum "$w/site/object" | cut -d' ' -f1)
tick=$(getconf CLK_TCK)

cpu_of() { awk '{sub(/^.*\) /, ""); print $12 + $13}' "/proc/$1/stat"; } # user and system ticks of a process

once() { # row's name, server's pid, command...: a line "MB/s CPU" more in the row's file
	local name=$1 server=$2 before after line
	shift 2
	rm -rf "$w/cache" "$w/out"
	before=$(cpu_of "$server")
	line=$({ TIMEFORMAT='%R %U %S'; time "$@" >/dev/null 2>"$w/err"; } 2>&1) || { echo "$name failed:" >&2; cat "$w/err" >&2; exit 1; }
	after=$(cpu_of "$server")
	echo "$sum  $w/out" | sha256sum -c --quiet
	awk -v mib="$mib" -v t="$line" -v s=$((after - before)) -v hz="$tick" 'BEGIN {
		split(t, f, " "); gb = mib * 1048576 / 1e9
		print gb * 1000 / f[1], (f[2] + f[3] + s / hz) / gb }' >>"$w/rows/${name//\//-}"
}

world() { # roulette's wire, first port: a tracker and a seed, asked for the object until it comes; sets seed
	printf '[transport.roulette]\nwire = "%s"\n' "$1" >"$w/$1.toml"
	"$w/nt" tracker --listen "127.0.0.1:$2" --allow-private --cache "$w/t$1" 2>"$w/tracker$1.log" &
	pids+=($!)
	sleep 1
	"$w/nt" seed "$w/site" --config "$w/$1.toml" --http-addr "127.0.0.1:$(($2 + 1))" --url "http://127.0.0.1:$(($2 + 1))/" \
		--listen "127.0.0.1:$(($2 + 2))" --tracker "127.0.0.1:$2" --allow-private --cache "$w/s$1" >"$w/seed$1.log" 2>&1 &
	seed=$!
	pids+=($seed)
	for _ in $(seq 100); do
		"$w/nt" fetch --config "$w/$1.toml" --no-origin --cache "$w/probe" --tracker "127.0.0.1:$2" --allow-private -q -m 20 \
			--checksum "sha-256=$sum" -o /dev/null "http://127.0.0.1:$(($2 + 1))/object" 2>"$w/err" && break
		sleep 0.5
		rm -rf "$w/probe"
	done
}

fetch() { # row's name, seed's pid, wire, first port, transport
	once "$1" "$2" "$w/nt" fetch --config "$w/$3.toml" --no-origin --transport "$5" --cache "$w/cache" --tracker "127.0.0.1:$4" \
		--allow-private -q -m 300 --checksum "sha-256=$sum" -o "$w/out" "http://127.0.0.1:$(($4 + 1))/object"
}

nginx_at() { # port; sets web
	cat >"$w/ng/conf" <<-EOF
		daemon off; master_process off; pid $w/ng/pid; error_log $w/ng/log;
		events {}
		http { access_log off; client_body_temp_path $w/ng/b; proxy_temp_path $w/ng/p; fastcgi_temp_path $w/ng/f; uwsgi_temp_path $w/ng/u; scgi_temp_path $w/ng/s;
		sendfile on; server { listen 127.0.0.1:$1; root $w/site; } }
	EOF
	chmod -R a+rX "$w"
	"$nginx" -c "$w/ng/conf" 2>/dev/null &
	web=$!
	pids+=($web)
	sleep 1
}

world kcp 17700
kcp=$seed
world udp 17710
udp=$seed
names=("nt roulette/kcp" "nt bittorrent" "nt http" "nt roulette/udp")
if nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null); then
	nginx_at 17720
	names+=("curl from nginx")
fi
for round in $(seq "$rounds"); do
	[ -t 2 ] && printf '\rround %d of %d ' "$round" "$rounds" >&2
	fetch "nt roulette/kcp" "$kcp" kcp 17700 roulette
	fetch "nt bittorrent" "$kcp" kcp 17700 bittorrent
	fetch "nt http" "$kcp" kcp 17700 http
	fetch "nt roulette/udp" "$udp" udp 17710 roulette
	if [ -n "${web:-}" ]; then once "curl from nginx" "$web" curl -sf -o "$w/out" http://127.0.0.1:17720/object; fi
done
[ -t 2 ] && echo >&2

median() { sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
spread() { # column, digits
	awk -v c="$1" '{ print $c }' "$file" | sort -g | awk -v f="%.$2f" '{ v[NR] = $1 } END {
		printf f " (" f " to " f ")", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2, v[1], v[NR] }'
}

echo "| $mib MiB between two processes, $rounds rounds in turn | MB/s, median (least to most) | CPU s/GB |"
echo "|---|---|---|"
for name in "${names[@]}"; do
	file=$w/rows/${name//\//-}
	echo "| $name | $(spread 1 1) | $(spread 2 2) |"
done
echo
paste -d' ' "$w/rows/nt roulette-kcp" "$w/rows/nt bittorrent" >"$w/pairs"
for column in 1 2; do
	awk -v c="$column" '{ print $c }' "$w/rows/nt roulette-kcp" | median
	awk -v c="$column" '{ print $c }' "$w/rows/nt bittorrent" | median
	awk -v c="$column" '{ print $c / $(c + 2) }' "$w/pairs" | median
	awk -v c="$column" '(c == 1) == ($c > $(c + 2)) { n++ } END { print n + 0 }' "$w/pairs"
done | paste -sd' ' | awk -v n="$rounds" '{
	printf "roulette/kcp beside bittorrent: %.2f times its MB/s by the medians (%.2f round by round, more in %d of %d), ", $1 / $2, $3, $4, n
	printf "%.2f times its CPU (%.2f, less in %d of %d)\n", $5 / $6, $7, $8, n }'
