package redis

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"nt/internal/resource"
	"nt/tracker"
	"nt/transport"
)

// Path is where nodes hear each other.
const Path = "/node/v1"

const (
	nodeHeader = "NT-Node" // HMAC-SHA256 of the shared secret over time and body, in hexadecimal
	timeHeader = "NT-Time" // Unix seconds
	maxMessage = 4 << 20
	nodeSkew   = 60 // seconds
)

// message is what one node asks another to do; the fields are those of the Store's methods.
type message struct {
	Do        string
	Now       time.Time
	TTL       time.Duration
	Announcer tracker.Announcer
	Items     []resource.Statement
	Key       resource.Key
	N         int
	Peer      transport.PeerID
	Group     tracker.Group
	At        int64
}

type reply struct {
	Refused *tracker.RefusedError
	Errs    []*tracker.RefusedError
	Swarm   tracker.Swarm
	Counted bool
}

func (r reply) errors(n int) []error {
	if len(r.Errs) != n {
		return nil
	}
	errs := make([]error, n)
	for i, e := range r.Errs {
		if e != nil {
			errs[i] = e
		}
	}
	return errs
}

func unavailable() error {
	return &tracker.RefusedError{Reason: tracker.ReasonUnavailable, Detail: "the tracker that knows this does not answer", Hint: "ask again in a moment"}
}

func (c *Cluster) sign(when string, body []byte) string {
	mac := hmac.New(sha256.New, c.secret[:])
	mac.Write([]byte("nt-node-v1\n" + when + "\n"))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// ask sends a message to a node. A node that does not answer is a refusal.
func (c *Cluster) ask(node, do string, msg message) (reply, error) {
	msg.Do = do
	if node == "" {
		return reply{}, unavailable()
	}
	body, err := json.Marshal(msg)
	if err != nil {
		return reply{}, err
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+node+Path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	when := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set(timeHeader, when)
	req.Header.Set(nodeHeader, c.sign(when, body))
	resp, err := c.http.Do(req)
	if err != nil {
		c.cfg.Log.Debug("a node does not answer", "node", node, "err", err)
		return reply{}, unavailable()
	}
	defer resp.Body.Close()
	var r reply
	if resp.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(resp.Body, maxMessage)).Decode(&r) != nil {
		return reply{}, unavailable()
	}
	if r.Refused != nil {
		return reply{}, r.Refused
	}
	return r, nil
}

// ServeHTTP answers another node. Whoever does not know the shared secret is no node.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	when := r.Header.Get(timeHeader)
	at, _ := strconv.ParseInt(when, 10, 64)
	age := time.Now().Unix() - at
	if err != nil || r.Method != http.MethodPost || age > nodeSkew || age < -nodeSkew || !hmac.Equal([]byte(r.Header.Get(nodeHeader)), []byte(c.sign(when, body))) {
		http.Error(w, "only for nodes of this tracker", http.StatusForbidden)
		return
	}
	var msg message
	if err := json.Unmarshal(body, &msg); err != nil {
		http.Error(w, "malformed", http.StatusBadRequest)
		return
	}
	out, err := c.do(msg)
	if err != nil && !errors.As(err, &out.Refused) {
		c.cfg.Log.Error("a node's message failed", "err", err)
		http.Error(w, "failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(out) // the node may be gone
}

// do acts on a message as the owner, whatever the own list of nodes says: two nodes
// that differ for a moment must not send a message round in circles.
func (c *Cluster) do(msg message) (out reply, err error) {
	switch msg.Do {
	case "announce", "settle":
		for _, st := range msg.Items {
			c.load(msg.Now, st.Key)
			if owner := c.members.owner(st.Key); msg.Do == "announce" && owner != c.members.self {
				// The sender does not know of a node that this one has handed the key to already: what
				// stays here alone nobody would find. Only once, so that nothing goes round in circles.
				one := msg
				one.Items = []resource.Statement{st}
				c.ask(owner, "settle", one) // an error costs what a lost announcement costs
			}
		}
		var errs []error
		errs, err = c.local.Announce(msg.Now, msg.TTL, msg.Announcer, msg.Items)
		for _, e := range errs {
			var refused *tracker.RefusedError
			errors.As(e, &refused)
			out.Errs = append(out.Errs, refused)
		}
	case "keep":
		for _, st := range msg.Items {
			c.load(msg.Now, st.Key)
			err = errors.Join(err, c.local.Keep(msg.Now, st))
		}
	case "lookup":
		out.Swarm, err = c.lookupHere(msg.Now, msg.Key, msg.N, mrand.New(mrand.NewPCG(mrand.Uint64(), 1)))
	case "peek": // from memory alone, so that two new nodes do not ask each other for ever
		out.Swarm, err = c.local.Lookup(msg.Now, msg.Key, msg.N, mrand.New(mrand.NewPCG(mrand.Uint64(), 1)))
	case "report":
		out.Counted, err = c.local.Report(msg.Now, msg.Key, msg.Peer, msg.Group)
	case "leave":
		err = c.local.Leave(msg.Now, msg.Peer, msg.At)
	default:
		err = fmt.Errorf("a node asks for %.20q", msg.Do)
	}
	return out, err
}
