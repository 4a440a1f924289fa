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
	if flags.Parse(args) != nil {
		return 2
	}
	content, err := os.ReadFile(*file)
	if err == nil && (*kind == "forged" || *kind == "sybils") {
		content = append([]byte("<p>Send money to the following account:</p>"), content...)
	}
	if err == nil {
		err = serveBadly(*kind, content, *rawURL, *address, *witness, *at)
	}
	fmt.Fprintln(os.Stderr, "badpeer:", err)
	return 1
}

func serveBadly(kind string, content []byte, rawURL, address, witness string, at int64) error {
	s := memory.New(store.Options{})
	head, err := putAll(s, content)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	if _, err := httptransport.Open(transport.Env{Source: s, Mux: mux, Dial: new(net.Dialer).DialContext, AllowPrivate: true, Log: slog.New(slog.DiscardHandler)}); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	keys := 1
	if kind == "sybils" {
		keys = 1000
	}
	for range keys {
		if err := announce(head, rawURL, address, witness, at, netip.MustParseAddrPort(l.Addr().String()).Port()); err != nil {
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

// announce tells the tracker of the object, as a reader with a fresh key would, in its own
// name or in that of the witness whose key file it has.
func announce(head chunker.Header, rawURL, address, witness string, at int64, port uint16) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	u, err := resource.ParseURL(rawURL)
	if err != nil {
		return err
	}
	c, err := client.New(client.Config{Addr: address, Key: key, Port: port, Transports: []string{httptransport.Name}})
	if err != nil {
		return err
	}
	s := resource.Statement{
		Key: u.Key(), Object: head.ID(), Size: head.Size, Status: http.StatusOK, ObservedAt: at,
		Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
	}.Sign(key)
	if witness != "" {
		text, err := os.ReadFile(witness)
		if err != nil {
			return err
		}
		seed, err := hex.DecodeString(strings.TrimSpace(strings.TrimPrefix(string(text), "nt-ed25519 ")))
		if err != nil || len(seed) != ed25519.SeedSize {
			return fmt.Errorf("%s is no key file", witness)
		}
		s = s.Sign(ed25519.NewKeyFromSeed(seed))
	}
	defer c.Close()
	done, err := c.Announce(context.Background(), []tracker.Item{{Statement: s}})
	if err == nil && len(done.Refused) > 0 {
		err = fmt.Errorf("refused: %v", done.Refused)
	}
	return err
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
