package modes

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/net/netutil"
)

// Limits on those who connect (security row 42).
const (
	maxConns    = 1024
	headTimeout = 10 * time.Second
	idleTimeout = 60 * time.Second
	headBytes   = 64 << 10
	drainTime   = 10 * time.Second // how long a daemon finishes requests after the first signal
)

// newServer returns a server with limits on how slowly and how much one may ask. What
// a reader may take for the answer is the handler's to limit.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headTimeout, ReadTimeout: 30 * time.Second, IdleTimeout: idleTimeout, MaxHeaderBytes: headBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// limitListener bounds how many connections are open at a time.
func limitListener(l net.Listener) net.Listener { return netutil.LimitListener(l, maxConns) }

// listening prints the line that scripts wait for.
func (a *app) listening(word, addr string) {
	fmt.Fprintf(a.stderr, "nt: %s listening on %s\n", word, addr)
}

// listenOr returns --listen, or a default.
func (a *app) listenOr(other string) string {
	if a.common.Listen != "" {
		return a.common.Listen
	}
	return other
}

// untilSignal waits for the first signal and then drains. A daemon that was asked
// to stop and did is a success.
func (a *app) untilSignal(drain func(context.Context) error) error {
	<-a.ctx.Done()
	fmt.Fprintln(a.stderr, "nt: stopping; a second signal stops at once")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), drainTime)
	defer cancel()
	if err := drain(ctx); err != nil {
		a.log.Warn("not everything ended well", "err", err)
	}
	return nil
}

// portOf returns the port of HOST:PORT.
func portOf(addr string) uint16 {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return 0
	}
	return ap.Port()
}
