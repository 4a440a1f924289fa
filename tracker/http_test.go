package tracker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"nt/tracker"
	"nt/tracker/memory"
	"nt/tracker/storetest"
)

func newAPI(t testing.TB, cfg tracker.APIConfig) *tracker.API {
	t.Helper()
	if cfg.Now == nil {
		cfg.Now = storetest.Start
	}
	return tracker.NewAPI(newTracker(t, tracker.Config{}), cfg)
}

// ask sends one request as if from the address.
func ask(api http.Handler, from, method, path, signature string, body []byte) (int, http.Header, string) {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.RemoteAddr = from
	if signature != "" {
		r.Header.Set(tracker.SignatureHeader, signature)
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return w.Code, w.Header(), w.Body.String()
}

func announceBody(t testing.TB, p storetest.Peer, key string) (body []byte, signature string) {
	t.Helper()
	now := storetest.Start()
	body, err := json.Marshal(announceRequest(p, now, p.State(key, "object", now)))
	if err != nil {
		t.Fatal(err)
	}
	return body, tracker.Sign(p.Key, "POST", "/v1/announce", body)
}

func TestN14_BadInputGetsAReason(t *testing.T) {
	p := storetest.NewPeer(1, "1.2.3.4:7000")
	good, sig := announceBody(t, p, "page")
	other := storetest.NewPeer(2, "1.2.3.4:7000")
	key := fmt.Sprintf(`"%064d"`, 0)
	for name, c := range map[string]struct {
		method, path, sig string
		body              string
		status            int
		says              string
	}{
		"announce":          {"POST", "/v1/announce", sig, string(good), 200, `,"refused":[]}`},
		"unsigned":          {"POST", "/v1/announce", "", string(good), 401, "bad_signature"},
		"signed for leave":  {"POST", "/v1/announce", tracker.Sign(p.Key, "POST", "/v1/leave", good), string(good), 401, "bad_signature"},
		"signed by another": {"POST", "/v1/announce", tracker.Sign(other.Key, "POST", "/v1/announce", good), string(good), 401, "bad_signature"},
		"changed":           {"POST", "/v1/announce", sig, strings.Replace(string(good), "7000", "7001", 1), 401, "bad_signature"},
		"signature no hex":  {"POST", "/v1/announce", strings.Repeat("x", 128), string(good), 401, "bad_signature"},
		"unknown field":     {"POST", "/v1/lookup", "", `{"keys":[` + key + `],"url":"http://a/"}`, 400, "unknown field"},
		"nested unknown":    {"POST", "/v1/announce", sig, strings.Replace(string(good), `"statement":{`, `"statement":{"x":1,`, 1), 400, "unknown field"},
		"empty":             {"POST", "/v1/lookup", "", "", 400, "empty"},
		"no JSON":           {"POST", "/v1/lookup", "", "keys=1", 400, "malformed"},
		"two values":        {"POST", "/v1/lookup", "", `{"keys":[` + key + `]}{}`, 400, "behind"},
		"no keys":           {"POST", "/v1/lookup", "", `{}`, 400, "1 to 32"},
		"too many keys":     {"POST", "/v1/lookup", "", `{"keys":[` + strings.Repeat(key+",", 32) + key + `]}`, 400, "more than 32"},
		"short key":         {"POST", "/v1/lookup", "", `{"keys":["00"]}`, 400, "64 hexadecimal"},
		"want too many":     {"POST", "/v1/lookup", "", `{"keys":[` + key + `],"want":51}`, 400, "1 to 50"},
		"want negative":     {"POST", "/v1/lookup", "", `{"keys":[` + key + `],"want":-1}`, 400, "1 to 50"},
		"keys are no list":  {"POST", "/v1/lookup", "", `{"keys":{}}`, 400, "must be a list"},
		"too large":         {"POST", "/v1/lookup", "", strings.Repeat(" ", 9<<10), 413, "too_large"},
		"too many items":    {"POST", "/v1/announce", "", `{"items":[` + strings.Repeat("{},", 256) + `{}]}`, 400, "more than 256"},
		"forged ticket":     {"POST", "/v1/report", "", `{"ticket":"abc","reason":"dead"}`, 403, "bad_ticket"},
		"leave unsigned":    {"POST", "/v1/leave", "", `{"peer":"` + p.ID().String() + `","time":1800000000}`, 401, "bad_signature"},
		"wrong method":      {"GET", "/v1/announce", "", "", 405, "POST only"},
		"no such path":      {"GET", "/v2/announce", "", "", 404, "not_found"},
		"deep nesting":      {"POST", "/v1/lookup", "", `{"keys":` + strings.Repeat("[", 8000), 400, "malformed"},
		"health":            {"GET", "/healthz", "", "", 200, "ok"},
		"info":              {"GET", "/v1/info", "", "", 200, `{"version":1,"notary":null,"key":null,"ttl":1800,"time":1800000000}`},
	} {
		status, header, body := ask(newAPI(t, tracker.APIConfig{}), "1.2.3.4:9999", c.method, c.path, c.sig, []byte(c.body))
		if status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %s, want %d with %q", name, status, body, c.status, c.says)
		}
		if header.Get("Content-Type") != "application/json" || !json.Valid([]byte(body)) {
			t.Errorf("%s: no JSON: %v %q", name, header, body)
		}
		if status == 405 && header.Get("Allow") != "POST" {
			t.Errorf("%s: Allow: %q", name, header.Get("Allow"))
		}
	}
}

func TestRow11_ForwardedHeadersAreNotBelieved(t *testing.T) {
	api := newAPI(t, tracker.APIConfig{})
	p := storetest.NewPeer(1, "1.2.3.4:7000")
	body, sig := announceBody(t, p, "page")
	r := httptest.NewRequest("POST", "/v1/announce", bytes.NewReader(body))
	r.RemoteAddr = "1.2.3.4:5555"
	r.Header.Set(tracker.SignatureHeader, sig)
	for _, h := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded"} {
		r.Header.Set(h, "8.8.8.8")
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	_, _, found := ask(api, "9.9.9.9:1", "POST", "/v1/lookup", "", []byte(`{"keys":["`+storetest.Key("page").String()+`"]}`))
	if !strings.Contains(found, `"addr":"1.2.3.4:7000"`) || strings.Contains(found, "8.8.8.8") {
		t.Errorf("found %s", found)
	}
}

func TestSourcesAreRateLimited(t *testing.T) {
	now := storetest.Start()
	api := newAPI(t, tracker.APIConfig{Rate: 1, Burst: 5, Sources: 2, Now: func() time.Time { return now }})
	get := func(from string) int {
		status, header, _ := ask(api, from, "GET", "/v1/info", "", nil)
		if (status == 429) != (header.Get("Retry-After") != "") {
			t.Errorf("status %d with Retry-After %q", status, header.Get("Retry-After"))
		}
		return status
	}
	for i := range 6 {
		if got, want := get(fmt.Sprintf("1.1.1.1:%d", 1000+i)), map[bool]int{true: 200, false: 429}[i < 5]; got != want {
			t.Errorf("request %d: %d", i, got)
		}
	}
	if got := get("1.1.1.2:1"); got != 200 {
		t.Errorf("another source: %d", got)
	}
	now = now.Add(time.Second)
	if got := get("1.1.1.1:1"); got != 200 {
		t.Errorf("a second later: %d", got)
	}
	for i := range 6 { // one customer's /64 is one source
		if got, want := get(fmt.Sprintf("[2a00::%d]:1", i)), map[bool]int{true: 200, false: 429}[i < 5]; got != want {
			t.Errorf("IPv6 request %d: %d", i, got)
		}
	}
	if status, _, _ := ask(api, "1.1.1.1:1", "GET", "/healthz", "", nil); status != 200 {
		t.Error("the health check is rate-limited")
	}
}

// blocking is a store whose lookups wait, to have a request run during shutdown.
type blocking struct {
	*memory.Store
	entered, leave chan struct{}
}

func (b blocking) Stats(now time.Time) tracker.StoreStats {
	close(b.entered)
	<-b.leave
	return b.Store.Stats(now)
}

func TestN15_DrainFinishesRunningRequestsAndRefusesNewOnes(t *testing.T) {
	store := blocking{memory.New(memory.Config{}), make(chan struct{}), make(chan struct{})}
	api := tracker.NewAPI(newTracker(t, tracker.Config{Store: store}), tracker.APIConfig{})
	srv := tracker.NewServer(api, 0)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	running := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + l.Addr().String() + "/v1/stats")
		if err != nil {
			running <- err.Error()
			return
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		running <- resp.Status
	}()
	<-store.entered
	down := make(chan error, 1)
	go func() { down <- srv.Shutdown(context.Background()) }()
	if err := <-served; err != nil { // the listener is closed: draining has begun
		t.Errorf("Serve: %v", err)
	}
	status, header, body := ask(api, "9.9.9.9:1", "GET", "/v1/info", "", nil)
	if status != 503 || header.Get("Retry-After") == "" || header.Get("Connection") != "close" {
		t.Errorf("a new request while draining: %d %v %s", status, header, body)
	}
	close(store.leave)
	if got := <-running; got != "200 OK" {
		t.Errorf("the running request ended with %s", got)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("a drained tracker takes connections")
	}
}

func TestDrainHasAnEnd(t *testing.T) {
	store := blocking{memory.New(memory.Config{}), make(chan struct{}), make(chan struct{})}
	srv := tracker.NewServer(tracker.NewAPI(newTracker(t, tracker.Config{Store: store}), tracker.APIConfig{}), 0)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(l)
	go http.Get("http://" + l.Addr().String() + "/v1/stats")
	<-store.entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	close(store.leave)
}

func TestPrivateTrackersWantTheirToken(t *testing.T) {
	api := newAPI(t, tracker.APIConfig{Token: "sesame"})
	req := func(token string) int {
		r := httptest.NewRequest("GET", "/v1/info", nil)
		if token != "" {
			r.Header.Set("Authorization", token)
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		return w.Code
	}
	for token, want := range map[string]int{"": 401, "Bearer ": 401, "Bearer sesamf": 401, "sesame": 401, "Bearer sesame": 200} {
		if got := req(token); got != want {
			t.Errorf("with %q: %d, want %d", token, got, want)
		}
	}
	if status, _, _ := ask(api, "1.2.3.4:1", "GET", "/healthz", "", nil); status != 200 {
		t.Errorf("healthz: %d", status)
	}
	api.Reconfigure(50, "other")
	if req("Bearer sesame") != 401 || req("Bearer other") != 200 {
		t.Error("the new token does not count")
	}
}

// TestStrangersBelowNodeAreCounted: who asks what only nodes may is refused and counted, by reason.
func TestStrangersBelowNodeAreCounted(t *testing.T) {
	tr := newTracker(t, tracker.Config{})
	api := tracker.NewAPI(tr, tracker.APIConfig{Now: storetest.Start, Nodes: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/node/stranger":
			http.Error(w, "no", http.StatusForbidden)
		case "/node/nonsense":
			http.Error(w, "no", http.StatusBadRequest)
		default:
			io.WriteString(w, "yes")
		}
	})})
	for path, status := range map[string]int{"/node/stranger": 403, "/node/nonsense": 400, "/node/v1": 200} {
		if got, _, _ := ask(api, "1.2.3.4:1", "POST", path, "", nil); got != status {
			t.Errorf("%s: %d", path, got)
		}
	}
	s := tr.Stats(storetest.Start(), storetest.Start())
	if s.Refused[tracker.ReasonNode] != 1 || s.Refused[tracker.ReasonMalformed] != 1 || len(s.Refused) != 2 {
		t.Errorf("counted %v", s.Refused)
	}
}
