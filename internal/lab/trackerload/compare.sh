#!/bin/sh
# Compares `nt tracker` with opentracker (Debian's package), one core each, the
# generator on the other. usage: compare.sh NT TRACKERLOAD [ROUNDS [RATE [SECONDS]]]
# Answers per second of the tracker's own CPU time mean more than the rate where
# the machine has other work. Set PRELOAD to a library that enlarges opentracker's receive
# buffer (it keeps the system's default) to compare with equal ones.
set -eu
nt=$(realpath "$1") load=$(realpath "$2") rounds=${3:-5} rate=${4:-300000} seconds=${5:-3}
dir=$(mktemp -d) && chmod 755 "$dir" && cd "$dir"
trap 'rm -rf "$dir"' EXIT
export XDG_STATE_HOME="$dir"
"$load" -write-whitelist list.txt

ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
measure() { # NAME PORT PID
	sleep 1
	before=$(ticks "$3")
	printf '%-12s' "$1"
	taskset -c 1 "$load" -addr "127.0.0.1:$2" -rate "$rate" -time "${seconds}s"
	echo "             cpu $((($(ticks "$3") - before) * 1000 / $(getconf CLK_TCK))) ms"
	kill "$3"
	wait "$3" || true
}
for _ in $(seq "$rounds"); do
	taskset -c 0 "$nt" tracker --listen 127.0.0.1:7170 --allow-private --no-notary 2>nt.log &
	measure nt 7170 $!
	LD_PRELOAD=${PRELOAD:-} taskset -c 0 opentracker -i 127.0.0.1 -p 7171 -P 7171 -d "$dir" -w list.txt >open.log 2>&1 &
	measure opentracker 7171 $!
done
