package bittorrent

import (
	"net"
	"testing"
	"time"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/metainfo"
)

// TestAClosedConnectionIsNoPanic: the client panics where a connection that it has just accepted cannot have a deadline.
func TestAClosedConnectionIsNoPanic(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := torrent.NewDefaultClientConfig()
	cfg.DisableTCP, cfg.DisableUTP, cfg.NoDHT, cfg.DataDir = true, true, true, t.TempDir()
	client, err := torrent.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.AddTorrentInfoHash(metainfo.Hash{1}) // or every connection is turned away
	f := &feed{conns: make(chan net.Conn), done: make(chan struct{})}
	defer f.close()
	client.AddListener(f)
	ended := make(chan struct{})
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	f.give(&conn{Conn: c, remote: c.RemoteAddr(), onEnd: func() { close(ended) }}, time.Minute)
	select {
	case <-ended: // the client has closed it in its turn
	case <-time.After(time.Minute):
		t.Error("the client keeps a connection that is closed")
	}
}
