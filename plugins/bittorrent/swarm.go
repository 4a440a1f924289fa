package bittorrent

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	anacrolixlog "github.com/anacrolix/log"
	"github.com/anacrolix/torrent"
	peerprotocol "github.com/anacrolix/torrent/peer_protocol"
	"github.com/anacrolix/torrent/storage"
	"golang.org/x/time/rate"

	"nt/chunker/nois"
)

// maxBlock is the most a peer may ask for at a time, in bytes.
const maxBlock = 1 << 20

// swarmConfig is what a swarm is opened with.
type swarmConfig struct {
	opts     Options
	hint     *hint
	store    storage.ClientImpl
	upload   *rate.Limiter
	noUpload bool
	// dial connects to a peer added by AddPeers, by its String; nil for a swarm
	// that only waits.
	dial      func(ctx context.Context, addr string) (net.Conn, error)
	callbacks torrent.Callbacks
}

// swarm is one BitTorrent client with one torrent. It opens no socket: what it
// dials and accepts goes through us.
type swarm struct {
	hint    *hint
	client  *torrent.Client
	torrent *torrent.Torrent
	feed    feed

	complete nois.Set // pieces the client was told of; the Fetch's loop alone uses it

	mu     sync.Mutex
	wanted int // pieces below were asked for
}

// chunks returns the chunks of piece i.
func (s *swarm) chunks(i int) nois.Interval {
	h := s.hint.header
	per := pieceLength(h.Size) / int64(h.ChunkSize())
	start := int64(i) * per
	return nois.Interval{Start: uint32(start), End: uint32(min(start+per, int64(h.NumChunks())))}
}

// openSwarm starts a client. Close it with close.
func openSwarm(c swarmConfig) (*swarm, error) {
	client, err := torrent.NewClient(clientConfig(c))
	if err != nil {
		return nil, fmt.Errorf("starting the BitTorrent client: %w", err)
	}
	s := &swarm{hint: c.hint, client: client, feed: feed{conns: make(chan net.Conn), done: make(chan struct{})}}
	if c.dial != nil {
		client.AddDialer(dialer(c.dial))
	}
	client.AddListener(&s.feed)
	s.torrent, _ = client.AddTorrentOpt(torrent.AddTorrentOpts{
		InfoHash:  [20]byte(c.hint.infohash),
		Storage:   c.store,
		ChunkSize: peerprotocol.Integer(requestSize(c.hint.header)),
		InfoBytes: c.hint.info(),
	})
	if s.torrent.Info() == nil {
		s.close()
		return nil, fmt.Errorf("the BitTorrent client refuses the info dictionary")
	}
	// A block that our proofs refuse is asked for again, elsewhere.
	s.torrent.SetOnWriteChunkError(func(error) {})
	return s, nil
}

// clientConfig switches off everything the client would do on its own (security
// row 49): sockets, DHT, peer exchange, trackers, port mapping, web seeds, WebRTC,
// holepunching by others, obfuscation, logging.
func clientConfig(c swarmConfig) *torrent.ClientConfig {
	cfg := torrent.NewDefaultClientConfig()
	cfg.DisableTCP, cfg.DisableUTP = true, true // its own sockets
	cfg.NoDHT, cfg.PeriodicallyAnnounceTorrentsToDht = true, false
	cfg.DisablePEX = true
	cfg.DisableTrackers = true
	cfg.NoDefaultPortForwarding = true
	cfg.DisableWebseeds, cfg.DisableWebtorrent = true, true
	cfg.Extensions = peerprotocol.NewPeerExtensionBytes(peerprotocol.ExtensionBitFast, peerprotocol.ExtensionBitLtep)
	cfg.HTTPDialContext, cfg.TrackerDialContext = noDial, noDial
	cfg.HeaderObfuscationPolicy = torrent.HeaderObfuscationPolicy{Preferred: false, RequirePreferred: true}
	cfg.DialRateLimiter = rate.NewLimiter(rate.Inf, 0) // lists of peers are ours to pace
	cfg.EstablishedConnsPerTorrent = c.opts.MaxPeers
	cfg.HalfOpenConnsPerTorrent, cfg.TotalHalfOpenConns = c.opts.MaxPeers, c.opts.MaxPeers
	cfg.HandshakesTimeout = c.opts.HandshakeTimeout
	cfg.NominalDialTimeout, cfg.MinDialTimeout = c.opts.HandshakeTimeout, c.opts.HandshakeTimeout
	cfg.Seed, cfg.NoUpload = !c.noUpload, c.noUpload
	cfg.UploadRateLimiter = c.upload
	cfg.MaxAllocPeerRequestDataPerConn = maxBlock
	cfg.PieceHashersPerTorrent = 1 // they hash nothing: our proofs decide
	cfg.DefaultStorage = c.store
	cfg.Bep20, cfg.ExtendedHandshakeClientVersion = "-NT0001-", "nt"
	cfg.Callbacks = c.callbacks
	cfg.Slogger = slog.New(slog.DiscardHandler)
	cfg.Logger = anacrolixlog.NewLogger()
	cfg.Logger.SetHandlers(anacrolixlog.DiscardHandler)
	return cfg
}

func noDial(_ context.Context, network, addr string) (net.Conn, error) {
	return nil, fmt.Errorf("dialling %s %s: the BitTorrent client reaches peers only", network, addr)
}

// heard makes the client look at a piece that is complete, unless it knows.
func (s *swarm) heard(i int) {
	if s.complete.Contains(uint32(i)) {
		return
	}
	switch state := s.torrent.PieceState(i); {
	case state.Complete:
		s.complete.Add(uint32(i))
	case !state.Hashing && !state.QueuedForHash && !state.Marking:
		s.torrent.Piece(i).UpdateCompletion()
	}
}

// want asks for the pieces up to end.
func (s *swarm) want(end int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if end > s.wanted {
		s.torrent.DownloadPieces(s.wanted, end)
		s.wanted = end
	}
}

// close drops the torrent and ends the client, and only then its listener: the
// client would spin on a listener that is closed.
func (s *swarm) close() {
	s.client.Close()
	s.feed.close()
}

// dialer is the client's only way out.
type dialer func(ctx context.Context, addr string) (net.Conn, error)

func (d dialer) Dial(ctx context.Context, addr string) (net.Conn, error) { return d(ctx, addr) }
func (d dialer) DialerNetwork() string                                   { return "tcp" }

// feed is the client's listener: what it accepts was accepted, and judged, by us.
type feed struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.done:
		return nil, net.ErrClosed
	}
}

// Addr is nobody's address: the port is the node's.
func (f *feed) Addr() net.Addr { return &net.TCPAddr{} }

// give hands c to the client, or closes it.
func (f *feed) give(c net.Conn, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case f.conns <- c:
		return
	case <-f.done:
	case <-t.C:
	}
	c.Close()
}

func (f *feed) close() { f.once.Do(func() { close(f.done) }) }
