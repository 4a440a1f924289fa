#!/bin/sh
# Gets a tracker a certificate from Pebble, Let's Encrypt's ACME server for tests, by
# TLS-ALPN-01 on the tracker's own port, and asks it over HTTP/2. Needs the Go module proxy, curl
# and openssl. usage: trackeracme.sh NT
set -eu
nt=$(realpath "$1")
dir=$(mktemp -d) && cd "$dir"
pids=
trap 'kill $pids 2>/dev/null; rm -rf "$dir"' EXIT
export GOBIN="$dir" XDG_STATE_HOME="$dir/state"
go install github.com/letsencrypt/pebble/v2/cmd/pebble@v2.6.0
go install github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv@v2.6.0
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
	-addext 'subjectAltName=IP:127.0.0.1' 2>/dev/null
cat >pebble.json <<END
{"pebble": {"listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000", "certificate": "cert.pem", "privateKey": "key.pem",
 "httpPort": 5002, "tlsPort": 7443, "ocspResponderURL": "", "externalAccountBindingRequired": false}}
END
./pebble-challtestsrv -defaultIPv6 '' -defaultIPv4 127.0.0.1 -dns01 127.0.0.1:8053 -http01 '' -https01 '' -tlsalpn01 '' >dns.log 2>&1 &
pids="$pids $!"
PEBBLE_VA_NOSLEEP=1 ./pebble -config pebble.json -dnsserver 127.0.0.1:8053 >pebble.log 2>&1 &
pids="$pids $!"
SSL_CERT_FILE="$dir/cert.pem" "$nt" tracker --listen 127.0.0.1:7443 --no-notary --tls-host tracker.example --acme-url https://127.0.0.1:14000/dir 2>nt.log &
pids="$pids $!"
sleep 2
curl -sk https://127.0.0.1:15000/roots/0 >root.pem
ask() { curl -sS --cacert root.pem --connect-to tracker.example:443:127.0.0.1:7443 -w '%{http_version} %{http_code} %{ssl_verify_result}\n' "$@"; }
ask https://tracker.example/healthz
echo 'a name that is not configured gets no certificate:'
curl -sS --cacert root.pem --connect-to other.example:443:127.0.0.1:7443 https://other.example/healthz && exit 1
echo 'kept in the state directory:' && ls "$dir"/state/nt/acme
