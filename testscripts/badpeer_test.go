package testscripts

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"nt/chunker"
	"nt/chunker/store"
	"nt/chunker/store/memory"
	"nt/internal/resource"
	httptransport "nt/plugins/http"
	"nt/tracker"
	"nt/tracker/client"
	"nt/transport"
)

// badpeerMain announces that it has a file at a URL and then misbehaves:
//
//	good        serves it as it should
//	wrongbytes  one bit of the content is wrong
//	wrongproof  one bit of the first proof is wrong
//	endless     after half of the reply zeros without end
//	nothing     takes the request and never answers
//	absent      says that it does not have it
//	cut         half of every reply
//	forged      serves, flawlessly, another content than the origin had
//	wrongheader serves another object's metadata in place of the one asked for
//	sybils      as forged, and announces under 1,000 keys
func badpeerMain(args []string) int {
	flags := flag.NewFlagSet("badpeer", flag.ContinueOnError)
	kind := flags.String("kind", "good", "how to misbehave")
	file := flags.String("file", "", "content")
	rawURL := flags.String("url", "", "URL of the content")
	address := flags.String("tracker", "", "tracker")
	witness := flags.String("witness", "", "key file of the notary in whose name to announce")
	at := flags.Int64("at", time.Now().Unix(), "when it was seen, Unix seconds")
	from := flags.String("from", "127.0.0.1", "addresses to announce from and to serve on, with a key for each")
	if flags.Parse(args) != nil {
		return 2
	}
	content, err := os.ReadFile(*file)
	if err == nil && (*kind == "forged" || *kind == "sybils") {
		content = append([]byte("<p>Send money to the following account:</p>"), content...)
	}
	if err == nil {
		err = serveBadly(*kind, content, *rawURL, announcer{*address, *witness, *at, strings.Split(*from, ",")})
	}
	fmt.Fprintln(os.Stderr, "badpeer:", err)
	return 1
}

// announcer says what a bad peer tells the tracker besides the content: in whose name, for
// when, and from which addresses.
type announcer struct {
	tracker, witness string
	at               int64
	from             []string
}

func serveBadly(kind string, content []byte, rawURL string, a announcer) error {
	s := memory.New(store.Options{})
	head, err := putAll(s, content)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	if _, err := httptransport.Open(transport.Env{Source: s, Mux: mux, Dial: new(net.Dialer).DialContext, AllowPrivate: true, Log: slog.New(slog.DiscardHandler)}); err != nil {
		return err
	}
	l, err := net.Listen("tcp", a.listen())
	if err != nil {
		return err
	}
	keys := len(a.from)
	if kind == "sybils" {
		keys = 1000
	}
	for i := range keys {
		if err := a.announce(head, rawURL, a.from[i%len(a.from)], netip.MustParseAddrPort(l.Addr().String()).Port()); err != nil {
			if kind == "sybils" && strings.Contains(err.Error(), "quota") {
				continue // one network may not hold more of it
			}
			return err
		}
	}
	good, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go http.Serve(good, mux)
	fmt.Printf("badpeer listening on %s\n", l.Addr())
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Printf("asked %s\n", r.URL)
		misbehave(kind, "http://"+good.Addr().String(), w, r)
	}))
}

func putAll(s store.Store, content []byte) (chunker.Header, error) {
	spool, err := s.Spool(context.Background())
	if err != nil {
		return chunker.Header{}, err
	}
	defer spool.Discard(nil)
	if _, err := spool.Write(content); err != nil {
		return chunker.Header{}, err
	}
	return spool.Commit(context.Background())
}

// listen is where to serve: on all addresses if there are several.
func (a announcer) listen() string {
	if len(a.from) > 1 {
		return "0.0.0.0:0"
	}
	return a.from[0] + ":0"
}

// announce tells the tracker of the object, as a reader with a fresh key would, in its own
// name or in that of the witness whose key file it has.
func (a announcer) announce(head chunker.Header, rawURL, from string, port uint16) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	u, err := resource.ParseURL(rawURL)
	if err != nil {
		return err
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := client.New(client.Config{Addr: a.tracker, Key: key, Port: port, Transports: []string{httptransport.Name}, Dial: dialer.DialContext})
	if err != nil {
		return err
	}
	defer c.Close()
	s := resource.Statement{
		Key: u.Key(), Object: head.ID(), Size: head.Size, Status: http.StatusOK, ObservedAt: a.at,
		Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
	}.Sign(key)
	if a.witness != "" {
		if key, err = keyFrom(a.witness); err != nil {
			return err
		}
		s = s.Sign(key)
	}
	done, err := c.Announce(context.Background(), []tracker.Item{{Statement: s}})
	if err == nil && len(done.Refused) > 0 {
		err = fmt.Errorf("refused: %v", done.Refused)
	}
	return err
}

// keyFrom reads a key file of nt.
func keyFrom(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(strings.TrimSpace(strings.TrimPrefix(string(text), "nt-ed25519 ")))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s is no key file", path)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// misbehave spoils what the good peer answers.
func misbehave(kind, good string, w http.ResponseWriter, r *http.Request) {
	if kind == "nothing" {
		<-r.Context().Done()
		return
	}
	if kind == "absent" {
		http.NotFound(w, r)
		return
	}
	resp, err := http.Get(good + r.URL.RequestURI())
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(err)
	}
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	switch {
	case kind == "wrongbytes" && len(body) > 0:
		body[len(body)-1] ^= 1
	case kind == "wrongproof" && len(body) > chunker.HeaderSize+8:
		body[chunker.HeaderSize+8] ^= 1
	case kind == "wrongheader" && len(body) > chunker.HeaderSize:
		body[8] ^= 1
	case kind == "endless":
		w.Header().Del("Content-Length")
		w.WriteHeader(resp.StatusCode)
		w.Write(body[:len(body)/2])
		io.Copy(w, zeros{})
		return
	case kind == "cut":
		w.WriteHeader(resp.StatusCode)
		w.Write(body[:len(body)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(resp.StatusCode)
	w.Write(body)
}
