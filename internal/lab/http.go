package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"

	nthttp "nt/plugins/http"
	"nt/transport"
)

// PlainHTTP is a web server and its readers: net/http on both sides, and nobody
// helps the server.
func PlainHTTP() System { return System{Name: "http", Wire: "tcp", Open: openPlainHTTP} }

type plainHTTP struct {
	node   *Node
	server *http.Server
}

func openPlainHTTP(n *Node) (Client, error) {
	c := &plainHTTP{node: n}
	if !n.Seed {
		return c, nil
	}
	body := n.World.Original.Bytes
	c.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Write(body)
	}), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	return c, serve(n, c.server)
}

// serve runs a server on the node's port.
func serve(n *Node, s *http.Server) error {
	l, err := n.Host.Listen(port)
	if err != nil {
		return err
	}
	go s.Serve(l)
	return nil
}

func (c *plainHTTP) Fetch(ctx context.Context) error {
	tr := &http.Transport{DialContext: c.node.Host.Dial}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.node.World.SeedNode().Addr().String()+"/", nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && !bytes.Equal(got, c.node.World.Original.Bytes) {
		err = errors.New("the server sent something else")
	}
	return err
}

func (c *plainHTTP) Close() error {
	if c.server == nil {
		return nil
	}
	return c.server.Close()
}

// PluginHTTP is this project's transport "http": readers serve what they have over
// HTTP, and ask one another one after another.
func PluginHTTP() System { return System{Name: "nt-http", Wire: "tcp", Open: openPluginHTTP} }

// overTransport is a client of any transport.Transport.
type overTransport struct {
	node   *Node
	tr     transport.Transport
	peers  func(context.Context) ([]transport.Peer, error)
	begun  func() (end func()) // of a fetch; may be nil
	closed func()
}

func openPluginHTTP(n *Node) (Client, error) {
	mux := http.NewServeMux()
	tr, err := nthttp.Open(transport.Env{Source: n.Copy, Mux: mux, Dial: n.Host.Dial, AllowPrivate: true})
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	if n.Free {
		server.Handler = http.NotFoundHandler()
	}
	if err := serve(n, server); err != nil && !errors.Is(err, net.ErrClosed) {
		return nil, err
	}
	return &overTransport{node: n, tr: tr, peers: n.named(nthttp.Name, 9), closed: func() { server.Close() }}, nil
}

// named returns what asks the tracker for up to k readers and the seed.
func (n *Node) named(transportName string, k int) func(context.Context) ([]transport.Peer, error) {
	return func(context.Context) ([]transport.Peer, error) {
		var out []transport.Peer
		for _, x := range append(n.World.Others(n, k), n.World.SeedNode()) {
			out = append(out, transport.Peer{ID: peerID(x.Index), Addr: x.Addr(), Transports: []string{transportName}})
		}
		return out, nil
	}
}

func (c *overTransport) Fetch(ctx context.Context) error {
	if c.begun != nil {
		defer c.begun()()
	}
	err := c.tr.Fetch(ctx, transport.Request{Object: c.node.World.Original.ID(), Peers: c.peers, Sink: c.node.sink()})
	if err == nil && !c.node.Copy.complete() {
		err = errors.New("Fetch said it was done and was not")
	}
	return err
}

func (c *overTransport) Close() error {
	err := c.tr.Close()
	if c.closed != nil {
		c.closed()
	}
	return err
}

// sink is what a Fetch fills: a free rider's cannot be read back.
func (n *Node) sink() transport.Sink {
	if n.Free {
		return struct{ transport.Sink }{n.Copy}
	}
	return n.Copy
}
