#!/usr/bin/env bash
# A page's parts, 5 to 200 KiB, read by one reader when one, two, ... have them, on loopback, one part after the other:
#   bench/holders.sh [holders] [rounds] > docs/experiments/holders-table.md
# The first holder is a seed, the others are peers that read through their proxies before. Milliseconds from the request to the last
# byte, as `nt fetch --json` tells them (process start is not in it), over all parts and rounds; stalled: parts that took over ten times the
# median of one holder; besides: bytes received that were not content, for each of the content.
set -euo pipefail
cd "$(dirname "$0")/.."
most=${1:-5} rounds=${2:-3} parts=40 port=17900
w=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$w"' EXIT
if [ -n "${NT:-}" ]; then cp "$NT" "$w/nt"; else CGO_ENABLED=0 go build -o "$w/nt" .; fi # NT: a binary that is there already
export XDG_STATE_HOME=$w/state
mkdir -p "$w/site"
for i in $(seq $parts); do head -c $((i * 5120)) /dev/urandom >"$w/site/$i"; done

"$w/nt" tracker --listen "127.0.0.1:$port" --allow-private --cache "$w/t" 2>"$w/tracker.log" &
pids+=($!)
sleep 1
site=http://127.0.0.1:$((port + 1))
"$w/nt" seed "$w/site" --http-addr "127.0.0.1:$((port + 1))" --url "$site/" --listen 127.0.0.1:0 --tracker "127.0.0.1:$port" \
	--allow-private --cache "$w/s" >"$w/seed.log" 2>&1 &
pids+=($!)

read_part() { # number: the reader has nothing, and asks no origin
	rm -rf "$w/cache"
	"$w/nt" fetch --no-origin --cache "$w/cache" --tracker "127.0.0.1:$port" --allow-private -q -m 60 --json -o "$w/out" "$site/$1" 2>"$w/err"
}

for i in $(seq $parts); do # until the notary has seen all of it
	for _ in $(seq 100); do read_part "$i" >/dev/null && break || sleep 0.3; done
done

holder() { # number: a peer that reads everything through its proxy
	local p=$((port + 10 + $1))
	"$w/nt" peer --proxy --proxy-addr "127.0.0.1:$p" --admin-addr 127.0.0.1:0 --listen 127.0.0.1:0 --tracker "127.0.0.1:$port" \
		--allow-private --cache "$w/c$1" >"$w/peer$1.log" 2>&1 &
	pids+=($!)
	curl -s --retry 20 --retry-connrefused --retry-delay 1 -x "http://127.0.0.1:$p" -o /dev/null "$site/[1-$parts]"
	sleep 2 # it announces them
}

echo "| holders | median, ms | p95 | slowest | stalled | besides |"
echo "|---|---|---|---|---|---|"
base=
for n in $(seq "$most"); do
	[ "$n" -eq 1 ] || holder "$n"
	: >"$w/rows"
	for _ in $(seq "$rounds"); do
		for i in $(seq $parts); do
			read_part "$i" >"$w/json" || { cat "$w/err" >&2; exit 1; }
			cmp -s "$w/out" "$w/site/$i"
			sed 's/.*"bytes":\([0-9]*\),.*"overhead_bytes":\([0-9]*\),.*"seconds":\([0-9.e-]*\),.*/\3 \2 \1/' "$w/json" >>"$w/rows"
		done
	done
	sort -g "$w/rows" >"$w/sorted"
	base=${base:-$(awk '{ t[NR] = $1 } END { print t[int((NR + 1) / 2)] }' "$w/sorted")}
	awk -v n="$n" -v base="$base" '{ t[NR] = $1; over += $2; bytes += $3; if ($1 > 10 * base) late++ } END {
		printf "| %d | %.0f | %.0f | %.0f | %d of %d | %.3f |\n", n, 1000 * t[int((NR + 1) / 2)], 1000 * t[int(NR * 0.95)], 1000 * t[NR], late, NR, over / bytes }' "$w/sorted"
done
