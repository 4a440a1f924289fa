package bittorrent_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"

	"nt/chunker/nois"
	"nt/transport"
	"nt/transport/transporttest"
)

// breaking is an object whose reads, once armed, wait and then fail, as a disk's do
// that is taken away.
type breaking struct {
	*transporttest.Object
	armed   atomic.Bool
	reading chan struct{} // gets one for each read that waits
	release chan struct{}
}

func newBreaking(c *transporttest.Content) *breaking {
	return &breaking{Object: transporttest.NewObject(c, nil), reading: make(chan struct{}, 1), release: make(chan struct{})}
}

func (b *breaking) ReadChunk(i int, buf []byte) ([]byte, error) {
	if !b.armed.Load() {
		return b.Object.ReadChunk(i, buf)
	}
	b.reading <- struct{}{}
	<-b.release
	return nil, errors.New("the disk is gone")
}

// askBlock joins a swarm as a BitTorrent client does and asks for a piece's first block.
func askBlock(t *testing.T, addr netip.AddrPort, ih string, c *transporttest.Content, piece int) net.Conn {
	t.Helper()
	nc, err := tryBlock(t, addr, ih, c, piece)
	if err != nil {
		t.Fatal(err)
	}
	return nc
}

func tryBlock(t *testing.T, addr netip.AddrPort, ih string, c *transporttest.Content, piece int) (net.Conn, error) {
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { nc.Close() })
	const interested = "\x00\x00\x00\x01\x02"
	io.WriteString(nc, "\x13BitTorrent protocol\x00\x00\x00\x00\x00\x00\x00\x00"+ih+"-XX0000-abcdefghijkl"+interested)
	if _, err := io.CopyN(io.Discard, nc, 68); err != nil {
		return nil, err
	}
	if !awaits(nc, 1) {
		return nil, errors.New("not unchoked")
	}
	request := []byte{0, 0, 0, 13, 6}
	for _, n := range []int{piece, 0, c.Header().ChunkSize()} {
		request = binary.BigEndian.AppendUint32(request, uint32(n))
	}
	_, err = nc.Write(request)
	return nc, err
}

const pieceMessage = 7

// awaits reads messages until one of that kind comes; false if none does.
func awaits(r io.Reader, kind byte) bool {
	for {
		var length uint32
		if err := binary.Read(r, binary.BigEndian, &length); err != nil {
			return false
		}
		b := make([]byte, length)
		if _, err := io.ReadFull(r, b); err != nil {
			return false
		}
		if length > 0 && b[0] == kind {
			return true
		}
	}
}

// TestReadFailsAfterClose: a transport that is closed while a peer's block is being
// read outlives it that the read fails then.
func TestReadFailsAfterClose(t *testing.T) {
	c := content(t, 1, 100<<10)
	obj := newBreaking(c)
	node := startNode(t, transporttest.Source{c.ID(): obj}, quick)
	ih := infohashOf(t, node, c)
	obj.armed.Store(true)
	nc := askBlock(t, node.Peer.Addr, ih, c, 0)
	<-obj.reading
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		node.Transport.Close()
	}()
	if awaits(nc, pieceMessage) { // false when the client has let go of the connection
		t.Error("a block was sent that could not be read")
	}
	close(obj.release)
	<-closed
}

// TestFailedReadEndsAFetch: a Fetch that cannot read back what it serves leaves the rest to
// another transport.
func TestFailedReadEndsAFetch(t *testing.T) {
	c := content(t, 1, 100<<10)
	holder := startNode(t, transporttest.Holding(c), quick)
	ih := infohashOf(t, holder, c)
	obj := newBreaking(c)
	obj.armed.Store(true)
	close(obj.release)
	reader := startNode(t, transporttest.Source{c.ID(): obj}, quick)
	failed := make(chan error, 1)
	sink, log := transporttest.NewSink(c.ID()), new(transporttest.Log)
	slowly := request(sink, c.ID(), log, holder.Peer)
	slowly.Limit = 10 << 10
	came := make(chan struct{}, c.Header().NumChunks())
	slowly.Observe = func(e transport.Event) {
		if log.Observe(e); e.Kind == transport.EventChunk {
			came <- struct{}{}
		}
	}
	go func() { failed <- reader.Transport.Fetch(t.Context(), slowly) }()
	var pieces []int // in order of coming; when there is a second, the client knows of the first
	for len(pieces) < 2 {
		<-came
		have := sink.Have()
		for i := range 25 {
			if !slices.Contains(pieces, i) && holdsPiece(have, i) {
				pieces = append(pieces, i)
			}
		}
	}
	if awaits(askBlock(t, reader.Peer.Addr, ih, c, pieces[0]), pieceMessage) {
		t.Error("a block was sent that could not be read")
	}
	if err := <-failed; !errors.Is(err, transport.ErrNoProgress) {
		t.Errorf("Fetch: %v", err)
	}
}

// holdsPiece reports whether the four chunks of a piece are there.
func holdsPiece(have *nois.Set, piece int) bool {
	for i := range 4 {
		if !have.Contains(uint32(4*piece + i)) {
			return false
		}
	}
	return true
}

// TestFailedReadEndsTheSwarm: what could not be read is not sent, and who asked can
// come again when it can be read.
func TestFailedReadEndsTheSwarm(t *testing.T) {
	c := content(t, 1, 100<<10)
	obj := newBreaking(c)
	close(obj.release)
	node := startNode(t, transporttest.Source{c.ID(): obj}, quick)
	ih := infohashOf(t, node, c)
	obj.armed.Store(true)
	if awaits(askBlock(t, node.Peer.Addr, ih, c, 0), pieceMessage) {
		t.Error("a block was sent that could not be read")
	}
	obj.armed.Store(false)
	for range 100 { // the first may still meet the swarm that ends
		if nc, err := tryBlock(t, node.Peer.Addr, ih, c, 0); err == nil && awaits(nc, pieceMessage) {
			return
		}
	}
	t.Error("nothing was sent although it can be read again")
}
