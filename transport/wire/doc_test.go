package wire

import (
	"bytes"
	"encoding/hex"
	"flag"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"

	"nt/transport"
)

var rewrite = flag.Bool("rewrite", false, "write the examples of docs/wire.md, and what the scenarios show, anew")

const wireDoc = "../../docs/wire.md"

// examples are the datagrams that docs/wire.md shows, by heading.
func examples() map[string][]byte {
	nonce := [nonceSize]byte{1, 2, 3, 4, 5, 6, 7, 8}
	v4 := netip.MustParseAddrPort("203.0.113.7:4001")
	gate := gate{secret: [32]byte{42}}
	var peer transport.PeerID
	for i := range peer {
		peer[i] = byte(i)
	}
	token := gate.grant(0, 7).Token(v4)
	return map[string][]byte{
		"Ask":       askMsg{nonce}.append(nil),
		"Token":     tokenMsg{nonce, token, v4}.append(nil),
		"Init":      initMsg{0xCAFEBABE, token, bytes.Repeat([]byte{0xEE}, noiseMsg1)}.append(nil),
		"Reply":     replyMsg{0xCAFEBABE, bytes.Repeat([]byte{0xEE}, noiseMsg2)}.append(nil),
		"Data":      append(appendDataHead(nil, ChannelKCP, 0xBABE, 5), bytes.Repeat([]byte{0xEE}, 3+aeadTag)...),
		"BYE":       {controlBye},
		"CONFIRM":   {controlConfirm, byte(NATCone)},
		"PING":      append([]byte{controlPing}, nonce[:]...),
		"PONG":      append([]byte{controlPong}, nonce[:]...),
		"INTRODUCE": append([]byte{controlIntroduce}, peer[:]...),
		"INTRO":     introPacket(peer, introduction{v4, NATCone}),
		"STRANGER":  append([]byte{controlStranger}, peer[:]...),
		"GRANT":     gate.grant(1, 7).AppendBinary([]byte{controlGrant}),
		"SPARE":     {controlSpare},
		"AFTER":     append([]byte{controlAfter}, peer[:]...),
		"ENOUGH":    append([]byte{controlEnough}, peer[:]...),
		"Query":     queryMsg{nonce, Token{}, []byte("question")}.append(nil)[:64],
		"Answer":    answerMsg{nonce, token, v4, 0, 1, []byte("answer")}.append(nil),
	}
}

var example = regexp.MustCompile("(?s)### ([A-Za-z]+)\n(.*?)```hex\n(.*?)```")

// TestWireDoc: every datagram and control packet is shown in docs/wire.md, byte for byte.
func TestWireDoc(t *testing.T) {
	text, err := os.ReadFile(wireDoc)
	if err != nil {
		t.Fatal(err)
	}
	want := examples()
	if *rewrite {
		text = example.ReplaceAllFunc(text, func(m []byte) []byte {
			p := example.FindSubmatch(m)
			return []byte("### " + string(p[1]) + "\n" + string(p[2]) + "```hex\n" + dump(want[string(p[1])]) + "```")
		})
		if err := os.WriteFile(wireDoc, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shown := map[string]bool{}
	for _, m := range example.FindAllStringSubmatch(string(text), -1) {
		shown[m[1]] = true
		got, err := hex.DecodeString(strings.Join(strings.Fields(m[3]), ""))
		if err != nil || !bytes.Equal(got, want[m[1]]) {
			t.Errorf("%s in docs/wire.md is not what is sent (%v):\n%s", m[1], err, dump(want[m[1]]))
		}
	}
	for name := range want {
		if !shown[name] {
			t.Errorf("docs/wire.md does not show %s", name)
		}
	}
}

func dump(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		n := min(32, len(b))
		out.WriteString(hex.EncodeToString(b[:n]) + "\n")
		b = b[n:]
	}
	return out.String()
}

// FuzzDatagrams: parsers accept exactly what the appenders write.
func FuzzDatagrams(f *testing.F) {
	for _, b := range examples() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		same := func(again []byte) {
			if !bytes.Equal(again, b) {
				t.Fatalf("%x parses and is written as %x", b, again)
			}
		}
		if m, err := parseAsk(b); err == nil && bytes.Equal(b[1+nonceSize:], make([]byte, askSize-1-nonceSize)) {
			same(m.append(nil))
		}
		if m, err := parseToken(b); err == nil && !bytes.Equal(b[1+nonceSize+tokenSize:][:12], make([]byte, 12)) {
			same(m.append(nil))
		}
		if m, err := parseInit(b); err == nil {
			same(m.append(nil))
		}
		if m, err := parseReply(b); err == nil {
			same(m.append(nil))
		}
		if m, err := parseQuery(b); err == nil && bytes.Equal(b[queryHead+len(m.question):], make([]byte, MaxDatagram)[:len(b)-queryHead-len(m.question)]) {
			same(m.append(nil)[:len(b)])
		}
		if m, err := parseAnswer(b); err == nil && !bytes.Equal(b[1+nonceSize+tokenSize:][:12], make([]byte, 12)) {
			same(m.append(nil))
		}
		if m, err := parseData(b); err == nil {
			same(append(appendDataHead(nil, m.channel, m.conv, uint32(m.counter)), m.sealed...))
		}
	})
}
