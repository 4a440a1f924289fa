package tracker_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/tracker"
	"nt/tracker/storetest"
	"nt/transport"
)

// exchange is one example of the documentation.
type exchange struct {
	name, method, path string
	body               any
	signer             *storetest.Peer
}

// docNotary is a notary with a key; it looks at nothing.
type docNotary struct{}

func (docNotary) Key() resource.WitnessKey {
	return resource.WitnessKey(storetest.NewPeer(77, "1.1.1.1:1").ID())
}
func (docNotary) Offer(time.Time, resource.URL, resource.Statement) {
}
func (docNotary) Counters() map[string]int64 { return map[string]int64{"offered": 1, "stated": 0} }

// docRendezvous has a key and no session.
type docRendezvous struct{}

func (docRendezvous) Key() transport.PeerID { return docNotary{}.peer() }
func (docRendezvous) Endpoint(transport.PeerID) (netip.AddrPort, bool) {
	return netip.AddrPort{}, false
}
func (docRendezvous) After(chunker.ObjectID, int, netip.AddrPort, *rand.Rand) []transport.PeerID {
	return nil
}

func (docNotary) peer() transport.PeerID { return storetest.NewPeer(77, "1.1.1.1:1").ID() }

// TestDocsExamples runs the examples of docs/tracker-api.md in order against the
// real handler.
func TestDocsExamples(t *testing.T) {
	const file = "../docs/tracker-api.md"
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	now := storetest.Start()
	tr := newTracker(t, tracker.Config{Secret: tracker.Secret{1}, Notary: docNotary{}, Rendezvous: docRendezvous{}})
	api := tracker.NewAPI(tr, tracker.APIConfig{Now: func() time.Time { return now }})
	p := storetest.NewPeer(1, "1.2.3.4:7000")
	u, err := resource.ParseURL("http://example.org/page.html")
	if err != nil {
		t.Fatal(err)
	}
	st := p.State("", "object", now)
	st.Key, st.Header = u.Key(), http.Header{"Content-Type": {"text/html"}}
	st = st.Sign(p.Key)
	other := p.State("", "other", now)
	req := announceRequest(p, now, st, other)
	req.Items[0].URL, req.Items[1].URL = u.String(), "http://example.org/not-this-key"

	text := string(doc)
	var ticket string
	for _, ex := range []exchange{
		{"announce", "POST", "/v1/announce", req, &p},
		{"lookup", "POST", "/v1/lookup", tracker.LookupRequest{Keys: tracker.Keys{u.Key()}, Want: 10, Port: 7001}, nil},
		{"report", "POST", "/v1/report", nil, nil},
		{"leave", "POST", "/v1/leave", tracker.LeaveRequest{Peer: p.ID(), Time: now.Unix()}, &p},
		{"info", "GET", "/v1/info", nil, nil},
		{"stats", "GET", "/v1/stats", nil, nil},
		{"healthz", "GET", "/healthz", nil, nil},
		{"refusal", "POST", "/v1/lookup", json.RawMessage(`{"keys":[],"url":"http://example.org/"}`), nil},
	} {
		from := netip.MustParseAddrPort("1.2.3.4:50000")
		if ex.signer == nil {
			from = netip.MustParseAddrPort("9.9.9.9:50000")
		}
		if ex.name == "report" {
			ex.body = tracker.ReportRequest{Ticket: ticket, Reason: "dead"}
		}
		block, answer := play(t, api, from.String(), ex)
		if ex.name == "lookup" {
			var resp tracker.LookupResponse
			if err := tracker.Decode([]byte(answer), &resp); err != nil || len(resp.Results) != 1 || len(resp.Results[0].Peers) != 1 {
				t.Fatalf("lookup answered %s: %v", answer, err)
			}
			ticket = resp.Results[0].Peers[0].Ticket
		}
		text = insert(t, text, ex.name, block)
	}
	if text == string(doc) {
		return
	}
	if !*update {
		t.Fatalf("the examples of %s are not what the handler says; go test ./tracker -run Docs -update rewrites them", file)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

var update = flag.Bool("update", false, "rewrite the examples of docs/tracker-api.md")

// play sends the request and returns it with its answer as text.
func play(t *testing.T, api http.Handler, from string, ex exchange) (block, answer string) {
	t.Helper()
	var body []byte
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\n", ex.method, ex.path)
	signature := ""
	if ex.body != nil {
		var err error
		if body, err = json.Marshal(ex.body); err != nil {
			t.Fatal(err)
		}
		if ex.signer != nil {
			signature = tracker.Sign(ex.signer.Key, ex.method, ex.path, body)
			fmt.Fprintf(&b, "NT-Signature: %s\n", signature)
		}
		fmt.Fprintf(&b, "\n%s\n", body)
	}
	status, _, answer := ask(api, from, ex.method, ex.path, signature, body)
	fmt.Fprintf(&b, "\nHTTP/1.1 %d %s\n\n%s", status, http.StatusText(status), answer)
	return b.String(), answer
}

// insert puts the block behind its marker, in place of the one that is there.
func insert(t *testing.T, text, name, block string) string {
	t.Helper()
	marker := "<!-- example " + name + " -->\n"
	before, after, ok := strings.Cut(text, marker)
	if !ok {
		t.Fatalf("the documentation has no example %q", name)
	}
	if rest, found := strings.CutPrefix(after, "```http\n"); found {
		if _, after, found = strings.Cut(rest, "```\n"); !found {
			t.Fatalf("the example %q has no end", name)
		}
	}
	return before + marker + "```http\n" + block + "```\n" + after
}
