package bittorrent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"golang.org/x/time/rate"

	"nt/internal/gate"
	"nt/transport"
)

// Name is the transport's name in configuration and announcements.
const Name = "bittorrent"

// handshakePrefix is how a BitTorrent connection begins (BEP 3).
const handshakePrefix = "\x13BitTorrent protocol"

var errClosed = errors.New("transport bittorrent is closed")

// Transport is one node's end of the transport. It costs nothing until it is
// used: each object that is fetched or seeded gets a BitTorrent client of its
// own, so that a stalled disk or a flood at one never touches another.
type Transport struct {
	opts     Options
	env      transport.Env
	log      *slog.Logger
	client   *http.Client
	upload   *rate.Limiter
	listener net.Listener // nil: only fetches
	gate     *gate.Gate
	hints    *hints
	rooms    rooms

	ctx   context.Context // ends with Close
	close context.CancelFunc
	work  sync.WaitGroup // what must have ended when Close returns
}

// Open opens the transport. It serves env.Source if it has that, env.Mux and env.Streams.
func Open(env transport.Env) (transport.Transport, error) {
	opts := DefaultOptions()
	if env.Options != nil {
		if err := env.Options(&opts); err != nil {
			return nil, fmt.Errorf("reading the options: %w", err)
		}
	}
	if env.Uplink > 0 {
		opts.UploadRate = env.Uplink
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	if env.Dial == nil {
		return nil, errors.New("the node gives no way to dial")
	}
	t := &Transport{
		opts: opts, env: env, log: env.Log, client: newClient(env), upload: newUploadLimit(opts.UploadRate),
		gate: gate.New(opts.MaxIncoming, opts.MaxIncomingPerAddress),
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.ctx, t.close = context.WithCancel(context.Background())
	t.hints = newHints(t.ctx, opts.MaxHints, env.Source)
	t.rooms.max = opts.MaxSeeds
	if env.Mux != nil && env.Source != nil && env.Streams != nil {
		env.Mux.HandleFunc("GET "+hintPath+"{id}", t.serveHint)
		t.listener = env.Streams([]byte(handshakePrefix))
		t.work.Go(t.accept)
	}
	return t, nil
}

// newUploadLimit returns the limiter of all uploads; the client wants room for the
// largest block it may be asked for.
func newUploadLimit(bytesPerSecond int64) *rate.Limiter {
	if bytesPerSecond == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), maxBlock)
}

// Name returns "bittorrent".
func (t *Transport) Name() string { return Name }

// Close stops serving, cuts uploads off and ends every running Fetch.
func (t *Transport) Close() error {
	t.close()
	if t.listener != nil {
		t.listener.Close()
	}
	t.rooms.close()
	t.client.CloseIdleConnections()
	t.work.Wait()
	t.hints.wait()
	return nil
}
