package roulette

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"nt/chunker"
	"nt/chunker/nois"
)

// message builds what a neighbour says from the words of a scenario:
//
//	fh 0-3,9  fh-reply 4-5  sh 1,2  data 7  bad 7  proof 0  recommend?  recommend NAME
//	hello J/K have=..  request 1,2 have=..  status have=..  cancel 3  bye  nofile  join  welcome NAMES [busy]
func (s *scenario) message(f []string) Message {
	tree := s.mem.tree
	id := tree.Header().ID()
	rest := strings.Join(f[1:], " ")
	words, summary := f[1:], []byte(nil)
	for _, w := range f[1:] {
		if have, ok := strings.CutPrefix(w, "have="); ok {
			set := new(nois.Set)
			for _, sp := range parseSpans(have) {
				set.AddRange(nois.Interval(sp))
			}
			summary = set.AppendSummary(nil, uint32(tree.Header().NumChunks()))
			words = words[:len(words)-1]
		}
	}
	switch f[0] {
	case "fh", "fh-reply":
		return &FirstHandshake{Object: id, Reply: f[0] != "fh", Intervals: parseSpans(rest)}
	case "sh":
		return &SecondHandshake{Chunks: parseChunks(rest)}
	case "data", "bad", "blind":
		i := parseChunks(f[1])[0]
		b := s.mem.chunk(int(i))
		if f[0] == "bad" {
			b = bytes.Repeat([]byte{9}, len(b))
		}
		return &Data{Chunk: i, For: i, Blind: f[0] == "blind", Have: summary, Payload: b, Len: len(b)}
	case "proof":
		m := parseChunks(f[1])[0]
		p, err := tree.MetaProof(int(m))
		if err != nil {
			s.t.Fatal(err)
		}
		return &Proof{Meta: m, Hashes: p.AppendBinary(nil)}
	case "recommend?":
		return &Recommend{Want: true}
	case "recommend":
		return &Recommend{Peers: []Introduction{{Peer: namedPeer(f[1])}}}
	case "hello":
		m := &Hello{Object: id, Have: summary}
		fmt.Sscanf(f[1], "%d/%d", &m.Class, &m.Classes)
		return m
	case "request":
		m := &Request{Have: summary}
		for _, i := range parseChunks(words[0]) {
			m.Asks = append(m.Asks, Ask{Chunk: i})
		}
		return m
	case "status":
		return &Status{Have: summary}
	case "cancel":
		return &Cancel{Chunks: parseChunks(rest)}
	case "bye":
		return &Bye{}
	case "nofile":
		return &NoFile{Object: id}
	case "join":
		return &Join{Object: id}
	case "welcome":
		h := tree.Header()
		m := &Welcome{Header: &h}
		for _, w := range f[1:] {
			if w == "busy" {
				m.Busy = true
			} else {
				m.Peers = append(m.Peers, Introduction{Peer: namedPeer(w)})
			}
		}
		return m
	}
	s.t.Fatalf("no such message: %v", f)
	return nil
}

// report writes what the core did, and where every neighbour stands.
func (s *scenario) report(w io.Writer) {
	for _, a := range s.core.Actions() {
		switch a := a.(type) {
		case Connect:
			fmt.Fprintf(w, "  connect %s\n", s.name(a.To))
		case Send:
			fmt.Fprintf(w, "  to %s: %s\n", s.name(a.To), describe(a.Msg))
		case Stored:
			fmt.Fprintf(w, "  stored %d\n", a.Chunk)
		case Drop:
			fmt.Fprintf(w, "  drop %s: %v\n", nameOf(a.Peer.Addr.Addr().As4()), a.Why)
		case Ban:
			fmt.Fprintf(w, "  ban %s: %v\n", nameOf(a.Peer.Addr.Addr().As4()), a.Why)
		default:
			fmt.Fprintf(w, "  %T\n", a)
		}
	}
	s.reportOnce(w)
	if len(s.core.neighbours) > manyNeighbours {
		fmt.Fprintf(w, "  [%d neighbours]\n", len(s.core.neighbours))
		return
	}
	for _, v := range s.core.neighbours {
		fmt.Fprintf(w, "  [%s %v", s.name(v.id), v.state)
		if s.core.p.Profile == ProfileClassic {
			fmt.Fprintf(w, ", burst %d", v.cl.burst)
		}
		fmt.Fprintf(w, "]\n")
	}
}

// manyNeighbours is from how many on only their number is shown.
const manyNeighbours = 12

// reportOnce writes what the command asked to see.
func (s *scenario) reportOnce(w io.Writer) {
	if s.showCache {
		var names []string
		for _, id := range s.core.cache.slots {
			names = append(names, s.name(id))
		}
		fmt.Fprintf(w, "  cache %s\n", strings.Join(names, " "))
	}
	if s.drawn != "" {
		fmt.Fprintf(w, "  drawn%s\n", s.drawn)
	}
	s.showCache, s.drawn = false, ""
}

func nameOf(ip [4]byte) string { return string(rune(ip[2])) }

// name remembers the names of neighbours that are gone.
func (s *scenario) name(id NeighbourID) string {
	if v := s.core.byID[id]; v != nil {
		s.names[id] = nameOf(v.peer.Addr.Addr().As4())
	}
	return s.names[id]
}

func describe(m Message) string {
	switch m := m.(type) {
	case *FirstHandshake:
		if m.Reply {
			return fmt.Sprint(m.Kind(), " offers ", m.Intervals)
		}
		return fmt.Sprint(m.Kind(), " has ", m.Intervals)
	case *SecondHandshake:
		return fmt.Sprint(m.Kind(), " ", len(m.Chunks), " chunks ", m.Chunks)
	case *Data:
		s := fmt.Sprint(m.Kind(), " ", m.Chunk)
		for _, a := range m.Asks {
			s += fmt.Sprint(" asks ", a.Chunk)
		}
		return s
	case *Request:
		s := m.Kind().String()
		for _, a := range m.Asks {
			if a.ProofOnly {
				s += fmt.Sprint(" proof ", chunker.MetaOf(int(a.Chunk)))
			} else {
				s += fmt.Sprint(" ", a.Chunk)
			}
		}
		return s
	case *Hello:
		return fmt.Sprintf("HELLO class %d of %d", m.Class, m.Classes)
	case *Welcome:
		return fmt.Sprintf("WELCOME %d peers busy=%v", len(m.Peers), m.Busy)
	case *Recommend:
		return fmt.Sprintf("RECOMMEND want=%v %d peers", m.Want, len(m.Peers))
	case *Cancel:
		return fmt.Sprint("CANCEL ", m.Chunks)
	}
	return m.Kind().String()
}

// memContent is a store in memory: everything is proved on its way in.
type memContent struct {
	bytes []byte
	tree  *chunker.Tree
	have  nois.Set
	proof map[int]bool // nil: all known
	got   map[int][]byte
}

func newMemContent(t testing.TB, size int64) *memContent {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	tree, err := chunker.Build(bytes.NewReader(b), size)
	if err != nil {
		t.Fatal(err)
	}
	return &memContent{bytes: b, tree: tree, got: map[int][]byte{}}
}

func (m *memContent) chunk(i int) []byte {
	h := m.tree.Header()
	return m.bytes[h.ChunkOffset(i):][:h.ChunkLen(i)]
}

func (m *memContent) Header() (chunker.Header, bool)             { return m.tree.Header(), true }
func (m *memContent) Begin(chunker.Header) error                 { return nil }
func (m *memContent) Have() *nois.Set                            { return m.have.Clone() }
func (m *memContent) HasProof(meta int) bool                     { return m.proof == nil || m.proof[meta] }
func (m *memContent) MetaProof(i int) (chunker.MetaProof, error) { return m.tree.MetaProof(i) }
func (m *memContent) AddProof(i int, p chunker.MetaProof) error {
	err := m.tree.AddProof(i, p)
	if err == nil && m.proof != nil {
		m.proof[i] = true
	}
	return err
}

func (m *memContent) Put(i int, data []byte) error {
	if err := m.tree.VerifyChunk(i, data); err != nil {
		return err
	}
	m.have.Add(uint32(i))
	m.got[i] = bytes.Clone(data)
	return nil
}
