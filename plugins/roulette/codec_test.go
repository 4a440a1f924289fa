package roulette

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"

	"nt/chunker"
	"nt/transport"
)

// example is one message of docs/wire-roulette.md.
type example struct {
	name string
	msg  Message
}

func examples(t testing.TB) []example {
	tree, err := chunker.Build(bytes.NewReader(make([]byte, 3000)), 3000)
	if err != nil {
		t.Fatal(err)
	}
	h := tree.Header()
	id := h.ID()
	proof, err := tree.MetaProof(0)
	if err != nil {
		t.Fatal(err)
	}
	peer := Introduction{Peer: transport.Peer{Addr: netip.MustParseAddrPort("192.0.2.7:7000"), ID: transport.PeerID{1, 2, 3}}, Token: []byte("token")}
	six := Introduction{Peer: transport.Peer{Addr: netip.MustParseAddrPort("[2001:db8::1]:7001")}}
	list := []example{
		{"JOIN", &Join{Object: id, Grant: []byte("handle and key: 20 B")}},
		{"JOIN, without a grant", &Join{Object: id}},
		{"JOIN, of who was named seven readers", &Join{Object: id, Met: 7, NeedHeader: true}},
		{"WELCOME", &Welcome{Header: &h, Peers: []Introduction{peer, six}, Busy: true}},
		{"WELCOME, lean", &Welcome{Peers: []Introduction{peer}}},
		{"WELCOME, where readers leave without BYE", &Welcome{Silent: true}},
		{"WELCOME, of a seed of few readers", &Welcome{Few: true}},
		{"HELLO", &Hello{Object: id, Class: 2, Classes: 10, NeedHeader: true, Proof: true, WantPeers: true, Have: []byte{1, 0b101}}},
		{"REQUEST", &Request{Asks: []Ask{{Chunk: 2, Proof: true}, {Chunk: 300, First: 4, Count: 12, Any: true}, {Chunk: 16, ProofOnly: true}}, Have: []byte{0, 0}}},
		{"REQUEST, of a seed, with what is on its way", &Request{Asks: []Ask{{Chunk: 2, Any: true}}, Have: []byte{1, 1}, Pending: []byte{1, 6}}},
		{"REQUEST, with thanks", &Request{Asks: []Ask{{Chunk: 9}}, Have: []byte{0, 0}, Thanks: []Thank{{KeyTag{1, 2, 3, 4, 5, 6, 7, 8}, 300}}, Silent: true}},
		{"DATA", &Data{Chunk: 1, For: 1, Queue: 3, Have: []byte{1, 0b110}, Payload: []byte("content"), Len: 7}},
		{"DATA, all of it", &Data{Chunk: 5, Block: 9, For: 7, Blind: true, WantPeers: true, Asks: []Ask{{Chunk: 8}}, Peers: []Introduction{peer}, Payload: []byte("x"), Len: 1}},
		{"PROOF", &Proof{Meta: 0, Header: &h, Hashes: proof.AppendBinary(nil)}},
		{"STATUS", &Status{Queue: 255, WantPeers: true, Have: []byte{1, 7}}},
		{"CANCEL", &Cancel{Chunks: []uint32{1, 128}}},
		{"RESCUE", &Rescue{Object: id, Have: []byte{1, 3}}},
		{"NO_FILE", &NoFile{Object: id}},
		{"BYE", &Bye{}},
		{"RECOMMEND, asking", &Recommend{Want: true}},
		{"RECOMMEND, answering", &Recommend{Peers: []Introduction{peer}}},
		{"FIRST_HANDSHAKE, asking", &FirstHandshake{Object: id, Intervals: []Span{{0, 8}, {36, 43}}}},
		{"FIRST_HANDSHAKE, answering", &FirstHandshake{Object: id, Reply: true, Intervals: []Span{{12, 17}, {28, 31}}}},
		{"SECOND_HANDSHAKE", &SecondHandshake{Chunks: []uint32{16, 29}}},
	}
	for _, e := range list {
		*e.msg.Clock() = Timing{Sent: 0x0102, Echo: 0x0304, Lag: 0x0506}
	}
	return list
}

// TestWireDocument checks that docs/wire-roulette.md shows exactly these bytes.
func TestWireDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/wire-roulette.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^### (.*)\n(?:[^#]*?)```hex\n([0-9a-f\\s]+)```").FindAllStringSubmatch(string(doc), -1) {
		shown[m[1]] = strings.Join(strings.Fields(m[2]), "")
	}
	for _, e := range examples(t) {
		if got := hex.EncodeToString(Append(nil, e.msg)); shown[e.name] != got {
			t.Errorf("### %s\n```hex\n%s\n```\ndocument has %q", e.name, wrap(got), shown[e.name])
		}
	}
}

func wrap(s string) string {
	var lines []string
	for len(s) > 96 {
		lines, s = append(lines, s[:96]), s[96:]
	}
	return strings.Join(append(lines, s), "\n")
}

func TestParseIsInverseOfAppend(t *testing.T) {
	for _, e := range examples(t) {
		wire := Append(nil, e.msg)
		got, err := Parse(wire)
		if err != nil {
			t.Errorf("%s: %v", e.name, err)
			continue
		}
		if again := Append(nil, got); !bytes.Equal(again, wire) || got.Kind() != e.msg.Kind() {
			t.Errorf("%s: %x became %x", e.name, wire, again)
		}
	}
}

// TestParseRefusesEveryCut: no message is a prefix of another of its kind,
// except where the rest is payload.
func TestParseRefusesEveryCut(t *testing.T) {
	for _, e := range examples(t) {
		wire := Append(nil, e.msg)
		for n := range wire {
			_, err := Parse(wire[:n])
			if k := e.msg.Kind(); err == nil && k != KindData && k != KindProof {
				t.Errorf("%s: cut to %d of %d bytes was accepted", e.name, n, len(wire))
			}
			if err != nil && !errors.Is(err, ErrBadMessage) {
				t.Errorf("%s: %v does not wrap ErrBadMessage", e.name, err)
			}
		}
		if _, err := Parse(append(wire[:len(wire):len(wire)], make([]byte, MaxData)...)); err == nil {
			t.Errorf("%s: over-long message was accepted", e.name)
		}
	}
}

// An echo is there exactly where the first byte says so.
func TestParseRefusesAnEchoOfNothing(t *testing.T) {
	bare := Append(nil, &Bye{})
	if _, err := Parse(bare); err != nil || len(bare) != 4 {
		t.Errorf("%x: %v", bare, err)
	}
	for _, b := range [][]byte{
		{byte(KindBye) | kindEchoes, 0, 1, 2},
		{byte(KindBye) | kindEchoes, 0, 1, 2, 0, 0, 0, 0},
		{byte(KindBye), 0, 1, 2, 3, 4, 5, 6},
		{kindEchoes, 0, 1, 2, 3, 4, 5, 6},
	} {
		if m, err := Parse(b); err == nil {
			t.Errorf("%x was read as %v", b, m.Kind())
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, e := range examples(f) {
		f.Add(Append(nil, e.msg))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		if again := Append(nil, m); !bytes.Equal(again, b) {
			t.Errorf("%v: accepted %x, would write %x", m.Kind(), b, again)
		}
	})
}
