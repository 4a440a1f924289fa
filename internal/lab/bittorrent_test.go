package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	anacrolixlog "github.com/anacrolix/log"
	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"
	"golang.org/x/time/rate"

	"nt/internal/simnet"
)

// The settings that served small files best: a piece that can be passed on soon,
// asked for as one block.
const (
	btPiece    = 4096
	btBlock    = 4096
	btAnnounce = 5 * time.Second
	btConns    = 20
	btSeed     = 200 // connections of the seed
	btNamed    = 30  // peers a tracker names
)

// BitTorrent is anacrolix/torrent with the settings above. In its favour the
// metadata is there from the start and the tracker answers at once and for nothing.
func BitTorrent() System { return System{Name: "bittorrent", Wire: "tcp", Open: openBitTorrent} }

type btClient struct {
	node     *Node
	client   *torrent.Client
	torrent  *torrent.Torrent
	listener net.Listener
	stop     chan struct{}
	work     sync.WaitGroup
}

func openBitTorrent(n *Node) (Client, error) {
	info, hash, err := btInfo(n.World.Original.Bytes)
	if err != nil {
		return nil, err
	}
	store := &btStore{data: make([]byte, len(n.World.Original.Bytes)), done: map[int]bool{}}
	if n.Seed {
		store.data, store.full = n.World.Original.Bytes, true
	}
	l, err := n.Host.Listen(port)
	if err != nil {
		return nil, err
	}
	client, err := torrent.NewClient(btConfig(n, store))
	if err != nil {
		return nil, fmt.Errorf("starting the BitTorrent client: %w", err)
	}
	c := &btClient{node: n, client: client, listener: l, stop: make(chan struct{})}
	client.AddListener(l)
	client.AddDialer(btDialer{n.Host})
	c.torrent, _ = client.AddTorrentOpt(torrent.AddTorrentOpts{InfoHash: hash, InfoBytes: info, ChunkSize: btBlock, Storage: store})
	return c, nil
}

// btInfo returns the info dictionary of the object and its hash.
func btInfo(data []byte) ([]byte, metainfo.Hash, error) {
	info := metainfo.Info{Name: "object", PieceLength: btPiece, Length: int64(len(data))}
	if err := info.GeneratePieces(func(metainfo.FileInfo) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}); err != nil {
		return nil, metainfo.Hash{}, err
	}
	b, err := bencode.Marshal(&info)
	return b, metainfo.HashBytes(b), err
}

// btConfig switches off what would open sockets of its own or wait for nothing.
func btConfig(n *Node, store storage.ClientImpl) *torrent.ClientConfig {
	cfg := torrent.NewDefaultClientConfig()
	cfg.DisableTCP, cfg.DisableUTP = true, true // the kernel's
	cfg.NoDHT, cfg.DisableTrackers, cfg.DisablePEX, cfg.DisableIPv6 = true, true, true, true
	cfg.DisableWebtorrent, cfg.DisableWebseeds, cfg.NoDefaultPortForwarding = true, true, true
	cfg.HeaderObfuscationPolicy = torrent.HeaderObfuscationPolicy{Preferred: false, RequirePreferred: true}
	cfg.DialRateLimiter = rate.NewLimiter(rate.Inf, 0)
	cfg.PieceHashersPerTorrent = 1
	cfg.EstablishedConnsPerTorrent, cfg.HalfOpenConnsPerTorrent = btConns, 10
	if n.Seed {
		cfg.EstablishedConnsPerTorrent = btSeed
	}
	cfg.Seed, cfg.NoUpload = true, n.Free
	cfg.DefaultStorage = store
	cfg.PeerID = fmt.Sprintf("-NT0001-%012d", n.Index)
	cfg.Slogger = slog.New(slog.DiscardHandler)
	cfg.Logger = anacrolixlog.NewLogger()
	cfg.Logger.SetHandlers(anacrolixlog.DiscardHandler)
	return cfg
}

func (c *btClient) Fetch(ctx context.Context) error {
	c.work.Go(c.announce)
	c.torrent.DownloadAll()
	select {
	case <-c.torrent.Complete().On():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// announce asks the tracker at once and every few seconds.
func (c *btClient) announce() {
	ticker := time.NewTicker(btAnnounce)
	defer ticker.Stop()
	for {
		var peers []torrent.PeerInfo
		for _, x := range append(c.node.World.Others(c.node, btNamed), c.node.World.SeedNode()) {
			peers = append(peers, torrent.PeerInfo{Addr: btAddr(x.Addr().String()), Source: torrent.PeerSourceTracker})
		}
		c.torrent.AddPeers(peers)
		select {
		case <-ticker.C:
		case <-c.stop:
			return
		}
	}
}

// Close ends the client before its listener: it would spin on a closed one.
func (c *btClient) Close() error {
	close(c.stop)
	c.work.Wait()
	errs := c.client.Close()
	return errors.Join(append(errs, c.listener.Close())...)
}

type btAddr string

func (a btAddr) String() string { return string(a) }

type btDialer struct{ host *simnet.Host }

func (d btDialer) Dial(ctx context.Context, addr string) (net.Conn, error) {
	return d.host.Dial(ctx, "tcp", addr)
}
func (d btDialer) DialerNetwork() string { return "tcp4" }

// btStore keeps a torrent in memory.
type btStore struct {
	mu   sync.Mutex
	data []byte
	full bool
	done map[int]bool
}

func (s *btStore) OpenTorrent(context.Context, *metainfo.Info, metainfo.Hash) (storage.TorrentImpl, error) {
	return storage.TorrentImpl{Piece: func(p metainfo.Piece) storage.PieceImpl { return &btPieceStore{s, p} }}, nil
}

type btPieceStore struct {
	s *btStore
	p metainfo.Piece
}

func (p *btPieceStore) ReadAt(b []byte, off int64) (int, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return bytes.NewReader(p.s.data).ReadAt(b, p.p.Offset()+off)
}

func (p *btPieceStore) WriteAt(b []byte, off int64) (int, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return copy(p.s.data[p.p.Offset()+off:], b), nil
}

func (p *btPieceStore) mark(done bool) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.done[p.p.Index()] = done
	return nil
}

func (p *btPieceStore) MarkComplete() error    { return p.mark(true) }
func (p *btPieceStore) MarkNotComplete() error { return p.mark(false) }

func (p *btPieceStore) Completion() storage.Completion {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return storage.Completion{Ok: true, Complete: p.s.full || p.s.done[p.p.Index()]}
}
