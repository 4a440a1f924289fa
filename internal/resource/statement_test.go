package resource

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func testKey(b byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = b
	return ed25519.NewKeyFromSeed(seed)
}

func sample() Statement {
	return Statement{
		Key: Key{1}, Object: [32]byte{2}, Size: 5, Status: 200, ObservedAt: 1_800_000_000,
		Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Etag": {`"x"`}},
	}
}

func TestStatementSurvivesJSON(t *testing.T) {
	for _, place := range []Place{{}, {Log: 1_700_000_000, Seq: 1}, {Log: 1_700_000_000, Seq: 2, Prev: Digest{3}}} {
		s := sample()
		s.Place = place
		s = s.Sign(testKey(1))
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var got Statement
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if err := got.Verify(); err != nil || !reflect.DeepEqual(got, s) {
			t.Fatalf("got %+v, %v", got, err)
		}
		if strings.Contains(string(b), "place") == place.IsZero() {
			t.Errorf("%+v: %s", place, b)
		}
	}
}

func TestPlacesThatAreNone(t *testing.T) {
	for _, place := range []Place{
		{Log: 1_700_000_000}, {Seq: 1}, {Log: -1, Seq: 1}, {Log: 1_700_000_000, Seq: 2}, {Log: 1_700_000_000, Seq: 1, Prev: Digest{1}},
		{Log: 1_800_000_001, Seq: 1}, // the statement is older than its log
	} {
		s := sample()
		s.Place = place
		if err := s.Sign(testKey(1)).Verify(); !errors.Is(err, ErrBadStatement) {
			t.Errorf("%+v: %v", place, err)
		}
	}
}

// Every field is under the signature.
func TestStatementTampering(t *testing.T) {
	for name, change := range map[string]func(*Statement){
		"key":        func(s *Statement) { s.Key[0]++ },
		"object":     func(s *Statement) { s.Object[0]++ },
		"size":       func(s *Statement) { s.Size++ },
		"status":     func(s *Statement) { s.Status = 404 },
		"time":       func(s *Statement) { s.ObservedAt++ },
		"place":      func(s *Statement) { s.Place = Place{Log: 1, Seq: 1} },
		"seq":        func(s *Statement) { s.Place.Seq++ },
		"witness":    func(s *Statement) { copy(s.Witness[:], testKey(2).Public().(ed25519.PublicKey)) },
		"signature":  func(s *Statement) { s.Signature[5] ^= 1 },
		"value":      func(s *Statement) { s.Header.Set("Etag", `"y"`) },
		"field":      func(s *Statement) { s.Header.Set("Vary", "Accept-Encoding") },
		"less":       func(s *Statement) { s.Header.Del("Etag") },
		"set-cookie": func(s *Statement) { s.Header.Set("Set-Cookie", "a=1") },
		"control":    func(s *Statement) { s.Header.Set("Etag", "a\r\nSet-Cookie: b") },
		"long":       func(s *Statement) { s.Header.Set("Etag", strings.Repeat("x", MaxHeaderBytes)) },
	} {
		s := sample()
		if name == "seq" {
			s.Place = Place{Log: 1_700_000_000, Seq: 2, Prev: Digest{1}}
		}
		s = s.Sign(testKey(1))
		change(&s)
		if err := s.Verify(); !errors.Is(err, ErrBadStatement) {
			t.Errorf("%s changed: %v, want ErrBadStatement", name, err)
		}
	}
}

func TestRow35_StatefulHeadersStayBehind(t *testing.T) {
	got, err := KeepHeader(http.Header{
		"Content-Type": {"text/css"}, "Set-Cookie": {"a"}, "Strict-Transport-Security": {"max-age=1"}, "Connection": {"close"},
		"Clear-Site-Data": {"*"}, "Www-Authenticate": {"Basic"}, "Alt-Svc": {"h3"}, "Server": {"x"}, "Refresh": {"0"}, "Link": {"</a>; rel=preload", "</b>"},
	})
	want := http.Header{"Content-Type": {"text/css"}, "Link": {"</a>; rel=preload", "</b>"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestSameContent(t *testing.T) {
	a := sample()
	b := sample()
	b.Header = http.Header{"Content-Type": a.Header["Content-Type"], "Etag": {`"replica-2"`}, "Content-Encoding": {"identity"}}
	if !a.SameContent(b) {
		t.Error("another ETag is no dissent")
	}
	b.Header.Set("Content-Encoding", "gzip")
	if a.SameContent(b) {
		t.Error("another encoding is another representation")
	}
}

func FuzzStatementJSON(f *testing.F) {
	b, _ := json.Marshal(sample().Sign(testKey(1)))
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Statement
		if json.Unmarshal(b, &s) == nil {
			_ = s.Verify()
			_ = s.Encoding()
		}
	})
}
