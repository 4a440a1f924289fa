package http

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	nethttp "net/http"

	"golang.org/x/time/rate"

	"nt/internal/gate"
	"nt/transport"
)

// Name is the transport's name in configuration and announcements.
const Name = "http"

// maxHeaderBytes bounds the headers of a reply; those of ours take 300 bytes.
const maxHeaderBytes = 16 << 10

var errClosed = errors.New("transport http is closed")

// Transport is one node's end of the transport.
type Transport struct {
	opts   Options
	source transport.Source
	log    *slog.Logger
	client *nethttp.Client
	gate   *gate.Gate
	upload *rate.Limiter // nil: unlimited

	ctx   context.Context // ends with Close
	close context.CancelFunc
}

// Open opens the transport. It serves env.Source on env.Mux if both are there.
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
		opts:   opts,
		source: env.Source,
		log:    env.Log,
		client: newClient(env),
		gate:   gate.New(opts.MaxUploads, opts.MaxUploadsPerAddress),
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if opts.UploadRate > 0 {
		t.upload = rate.NewLimiter(rate.Limit(opts.UploadRate), writeBlock)
	}
	t.ctx, t.close = context.WithCancel(context.Background())
	if env.Mux != nil && env.Source != nil {
		env.Mux.HandleFunc("GET "+pathPrefix+"{id}", t.serve)
	}
	return t, nil
}

// newClient returns a client that takes a peer's reply as it comes: no
// proxy, no redirect, no decompression (a bomb needs one), HTTP/1.1 only.
func newClient(env transport.Env) *nethttp.Client {
	var h1 nethttp.Protocols
	h1.SetHTTP1(true)
	return &nethttp.Client{
		Transport: &nethttp.Transport{
			DialContext:            env.Dial,
			Protocols:              &h1,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeaderBytes,
			MaxIdleConnsPerHost:    1,
			MaxIdleConns:           32,
			IdleConnTimeout:        idleTimeout,
		},
		CheckRedirect: func(*nethttp.Request, []*nethttp.Request) error { return nethttp.ErrUseLastResponse },
	}
}

// Name returns "http".
func (t *Transport) Name() string { return Name }

// Close stops serving, cuts uploads off and ends every running Fetch.
func (t *Transport) Close() error {
	t.close()
	t.client.CloseIdleConnections()
	return nil
}
