package peer

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"nt/internal/resource"
	"nt/peer/trust"
)

// Gossip finds out notaries that say different things to different people (docs/adr/0012). A
// reader who takes a notary's word asks a few peers what they heard from notaries about what
// both hold. Keys are asked by a hash that is salted anew every time: who does not hold a
// resource learns nothing of who does.
//
//	-> {"nonce": HEX, "keys": [HEX, ...]}        SHA-256("nt-said-v1\n" || nonce || key)
//	<- {"statements": [STATEMENT, ...]}
const (
	saidDomain = "nt-said-v1\n"
	saidNonce  = 16
	// MaxSaidKeys and MaxSaidStatements bound a question and an answer.
	MaxSaidKeys       = 32
	MaxSaidStatements = 32
	// MaxSaidBytes bounds both as messages.
	MaxSaidBytes = 512 << 10
	// gossipPeers is how many peers are asked at a time, gossipTime how long.
	gossipPeers = 3
	gossipTime  = 5 * time.Second
)

// Gossip carries a question to a peer and returns its answer.
type Gossip func(ctx context.Context, to netip.AddrPort, question []byte) ([]byte, error)

type saidQuestion struct {
	Nonce string   `json:"nonce"`
	Keys  []string `json:"keys"`
}

type saidAnswer struct {
	Statements []resource.Statement `json:"statements"`
}

func salted(nonce []byte, key resource.Key) string {
	sum := sha256.Sum256(append(append([]byte(saidDomain), nonce...), key[:]...))
	return hex.EncodeToString(sum[:])
}

func decodeSaid(b []byte, v any) error {
	if len(b) > MaxSaidBytes {
		return fmt.Errorf("%d bytes are over the limit of %d", len(b), MaxSaidBytes)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// AnswerGossip answers a peer's question: with what notaries said about resources that this
// node shares and the asker holds, too.
func (n *Node) AnswerGossip(question []byte) ([]byte, error) {
	var q saidQuestion
	if err := decodeSaid(question, &q); err != nil {
		return nil, fmt.Errorf("the question: %w", err)
	}
	nonce, err := hex.DecodeString(q.Nonce)
	if err != nil || len(nonce) != saidNonce || len(q.Keys) > MaxSaidKeys {
		return nil, errors.New("the question has no nonce or too many keys")
	}
	var list []json.RawMessage
	room := MaxSaidBytes - 1<<10
	for _, s := range n.said.latest(maxSaid) {
		if len(list) == MaxSaidStatements || !slices.Contains(q.Keys, salted(nonce, s.Key)) || !n.shares(s) {
			continue
		}
		b, err := json.Marshal(s)
		if err != nil || len(b)+1 > room {
			continue
		}
		room -= len(b) + 1
		list = append(list, b)
	}
	return json.Marshal(map[string]any{"statements": list})
}

// shares reports whether this node announces the resource anyway.
func (n *Node) shares(s resource.Statement) bool {
	n.said.mu.Lock()
	defer n.said.mu.Unlock()
	return n.said.shared[s.Key]
}

// hear compares what notaries said, to this node and to others, and keeps the proof when one
// contradicts itself; from then on it is no notary to this cache.
func (n *Node) hear(notaries map[resource.WitnessKey]string, list []resource.Statement) {
	for _, s := range list {
		name := notaries[s.Witness]
		if name == "" || s.Verify() != nil {
			continue
		}
		other, caught := n.said.hear(s)
		if !caught || n.cfg.Cache == nil {
			continue
		}
		file, err := n.cfg.Cache.PutConflict(other, s)
		if err != nil {
			n.cfg.Log.Warn("a proof is not kept", "err", err)
		}
		n.said.accuse(s.Witness, file)
		n.cfg.Log.Error("a notary says different things to different readers and is believed no more", "notary", name,
			"key", s.Witness, "at", s.Time(), "versions", []string{other.Object.String(), s.Object.String()}, "proof", file)
	}
}

// gossip asks peers what the notaries told them, beside whatever else goes on.
func (n *Node) gossip(known Found, notaries map[resource.WitnessKey]string, evidence []trust.Evidence) {
	var mine []resource.Statement
	for _, e := range evidence {
		mine = append(mine, e.Statement)
	}
	n.hear(notaries, mine)
	notarised := slices.ContainsFunc(mine, func(s resource.Statement) bool { return notaries[s.Witness] != "" })
	if n.cfg.Gossip == nil || !notarised || n.ctx.Err() != nil {
		return
	}
	to := n.partners(known)
	if len(to) == 0 {
		return
	}
	nonce := make([]byte, saidNonce)
	rand.Read(nonce) // never fails
	q := saidQuestion{Nonce: hex.EncodeToString(nonce)}
	asked := make(map[resource.Key]bool)
	for _, s := range n.said.latest(maxSaid) {
		if !asked[s.Key] && len(q.Keys) < MaxSaidKeys {
			asked[s.Key] = true
			q.Keys = append(q.Keys, salted(nonce, s.Key))
		}
	}
	question, err := json.Marshal(q)
	if err != nil {
		return
	}
	n.filling.start()
	n.work.Go(func() {
		defer n.filling.end()
		ctx, cancel := context.WithTimeout(n.ctx, gossipTime)
		defer cancel()
		for _, addr := range to {
			n.hearFrom(ctx, addr, question, asked, notaries)
		}
	})
}

func (n *Node) hearFrom(ctx context.Context, addr netip.AddrPort, question []byte, asked map[resource.Key]bool, notaries map[resource.WitnessKey]string) {
	b, err := n.cfg.Gossip(ctx, addr, question)
	var a saidAnswer
	if err == nil {
		err = decodeSaid(b, &a)
	}
	if err != nil {
		n.cfg.Log.Debug("no gossip", "peer", addr, "err", err)
		return
	}
	list := slices.DeleteFunc(a.Statements[:min(len(a.Statements), MaxSaidStatements)], func(s resource.Statement) bool { return !asked[s.Key] })
	n.hear(notaries, list)
}

// partners chooses whom to ask: peers met before, for other things, whom the tracker at hand has
// not chosen, then those that it names, of other versions first.
func (n *Node) partners(known Found) []netip.AddrPort {
	var out []netip.AddrPort
	add := func(a netip.AddrPort) {
		if a.IsValid() && len(out) < gossipPeers && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	for _, x := range n.Neighbours() {
		if len(out) < gossipPeers-1 {
			add(x.Peer.Addr)
		}
	}
	seen := map[[32]byte]bool{}
	for _, h := range known.Holders {
		if !seen[h.Object] && h.ID != n.id() && !h.Reading {
			seen[h.Object] = true
			add(h.Addr)
		}
	}
	for _, h := range known.Holders {
		if h.ID != n.id() && !h.Reading { // it may be gone in a moment, and need not listen for anything else
			add(h.Addr)
		}
	}
	return out
}
