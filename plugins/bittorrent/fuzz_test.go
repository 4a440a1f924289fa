package bittorrent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"nt/chunker"
	"nt/transport"
	"nt/transport/transporttest"
)

// FuzzHintReply: whatever a peer answers, what reaches the sink is right, and
// a reply that is not the hint is the peer's fault.
func FuzzHintReply(f *testing.F) {
	c, err := transporttest.NewContent(1, 40<<10)
	if err != nil {
		f.Fatal(err)
	}
	h := c.Header()
	doc := append(h.AppendBinary(nil), make([]byte, numPieces(h.Size)*20)...)
	f.Add(doc, "")
	for m := range h.NumMetaChunks() {
		p, err := c.MetaProof(m)
		if err != nil {
			f.Fatal(err)
		}
		doc = p.AppendBinary(doc)
	}
	whole := span{0, h.NumMetaChunks()}
	f.Add(doc, whole.String())
	f.Add(doc[:len(doc)-1], whole.String())
	f.Add(append(bytes.Clone(doc[:len(doc)-1]), 0), whole.String())
	f.Add([]byte{}, "0-1")
	offline := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("offline") }
	f.Fuzz(func(t *testing.T, body []byte, proofs string) {
		tr, err := Open(transport.Env{Dial: offline})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		sink := transporttest.NewSink(c.ID())
		x := newFetch(t.Context(), tr.(*Transport), transport.Request{Object: c.ID(), Sink: sink})
		defer x.end(func(error) {})
		stall := time.AfterFunc(time.Hour, func() {})
		defer stall.Stop()
		v := visit{f: x, l: &link{}, from: 0}
		err = v.take(t.Context(), &http.Response{
			Header: http.Header{"Content-Type": {mediaType}, headerProofs: {proofs}}, ContentLength: -1, Body: io.NopCloser(bytes.NewReader(body)),
		}, stall)
		var fault *peerFault
		if err != nil && !errors.As(err, &fault) {
			t.Errorf("not the peer's fault: %v", err)
		}
		if err == nil && (proofs != whole.String() || !bytes.HasPrefix(body, doc[:chunker.HeaderSize])) {
			t.Errorf("a hint with the proofs %q was taken", proofs)
		}
		for m := range h.NumMetaChunks() {
			if err == nil && !sink.HasProof(m) {
				t.Errorf("the proof of MetaChunk %d is missing", m)
			}
		}
	})
}
