package trust

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"nt/internal/resource"
)

var (
	day    = time.Unix(1_800_000_000, 0)
	outage = day.Add(time.Hour)
	page   = resource.Key{7}
)

func key(n int) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint64(seed, uint64(n)+1)
	return ed25519.NewKeyFromSeed(seed)
}

func witness(n int) (k resource.WitnessKey) {
	copy(k[:], key(n).Public().(ed25519.PublicKey))
	return k
}

// saw is reader n's evidence for the content of that number, from a group.
func saw(n int, content byte, group string, logged time.Time) Evidence {
	s := resource.Statement{Key: page, Object: [32]byte{content}, Size: 1, Status: 200, ObservedAt: logged.Unix(), Header: http.Header{}}
	return Evidence{Statement: s.Sign(key(n)), LoggedAt: logged, KeySince: logged.Add(-48 * time.Hour), Group: group, Locator: "t"}
}

func readers(n int, content byte, logged time.Time) (out []Evidence) {
	for i := range n {
		out = append(out, saw(100*int(content)+i, content, fmt.Sprint("group ", content, i), logged))
	}
	return out
}

func young(list []Evidence) []Evidence {
	for i := range list {
		list[i].KeySince = outage.Add(-23 * time.Hour)
	}
	return list
}

func ageless(list []Evidence) []Evidence {
	for i := range list {
		list[i].KeySince = time.Time{}
	}
	return list
}

func TestDomain(t *testing.T) {
	for name, want := range map[string]string{"T.example:7070": "t.example", "library": "library", "[2001:db8::1]:7070": "2001:db8::1", "[2001:db8::1]": "2001:db8::1", "": ""} {
		if got := Domain(name); got != want {
			t.Errorf("Domain(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestJudge(t *testing.T) {
	policy := Policy{Notaries: map[resource.WitnessKey]string{witness(1): "one", witness(2): "two"}, Own: map[resource.WitnessKey]bool{witness(3): true}}
	twoOfTwo := policy
	twoOfTwo.Quorum = 2
	oneDomain := twoOfTwo
	oneDomain.Notaries = map[resource.WitnessKey]string{witness(1): "op.example:7070", witness(2): "op.example:7071"}
	signed := func(content byte) *Claim {
		s := saw(5, content, "", day).Statement
		return &Claim{Publisher: "the site", Statement: &s}
	}
	claims := func(c *Claim) Policy { p := policy; p.Claim = c; return p }
	join := func(parts ...[]Evidence) (all []Evidence) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	one := func(e Evidence) []Evidence { return []Evidence{e} }
	forged := saw(1, 9, "x", day)
	forged.Statement.Object[0]++
	foreign := saw(1, 9, "x", day)
	foreign.Statement.Key[0]++
	foreign.Statement = foreign.Statement.Sign(key(1))

	for _, c := range []struct {
		name     string
		policy   Policy
		evidence []Evidence
		want     string // "content:level" best first; ! dissent, !! disputed, ? not signed by the publisher
	}{
		{"nothing", policy, nil, ""},
		{"one stranger", policy, readers(1, 1, day), "1:unverified"},
		{"three readers in three groups", policy, readers(3, 1, day), "1:corroborated"},
		{"two readers", policy, readers(2, 1, day), "1:unverified"},
		{"one key in three groups", policy, join(one(saw(9, 1, "a", day)), one(saw(9, 1, "b", day)), one(saw(9, 1, "c", day))), "1:unverified"},
		{"logged after the outage", policy, readers(9, 1, outage.Add(time.Second)), "1:unverified"},
		{"one dissent against three", policy, join(readers(3, 1, day), readers(1, 2, day)), "1:corroborated!! 2:unverified!"},
		{"one dissent against five", policy, join(readers(5, 1, day), readers(1, 2, day)), "1:corroborated! 2:unverified!"},
		{"two dissents against six", policy, join(readers(6, 1, day), readers(2, 2, day)), "1:corroborated!! 2:unverified!"},
		{"an older version is no dissent", policy, join(readers(3, 1, day), readers(1, 2, day.Add(-time.Hour))), "1:corroborated 2:unverified!"},
		{"a dissent after the outage is none", policy, join(readers(3, 1, day), readers(9, 2, outage.Add(time.Second))), "1:corroborated 2:unverified!"},
		{"notary", policy, one(saw(1, 1, "", day)), "1:notary"},
		{"notary beats readers", policy, join(readers(9, 2, day.Add(-time.Minute)), one(saw(1, 1, "", day))), "1:notary 2:corroborated!!"},
		{"two notaries an hour apart: the page has changed", policy, join(one(saw(1, 1, "", day.Add(-time.Hour))), one(saw(2, 2, "", day))), "2:notary 1:notary!"},
		{"two notaries at the same time contradict each other", policy, join(one(saw(1, 1, "", day)), one(saw(2, 2, "", day.Add(time.Minute)))), "2:notary!! 1:notary!!"},
		{"one notary twice is no contradiction", policy, join(one(saw(1, 1, "", day)), one(saw(1, 2, "", day.Add(time.Minute)))), "2:notary 1:notary!"},
		{"two notaries of one operator are one voice", oneDomain, join(one(saw(1, 1, "", day)), one(saw(2, 1, "", day))), "1:unverified"},
		{"young keys", policy, young(readers(9, 1, day)), "1:unverified"},
		{"keys of unknown age", policy, ageless(readers(9, 1, day)), "1:unverified"},
		{"what the publisher signed", claims(signed(1)), join(readers(1, 1, day), readers(9, 2, day)), "1:publisher 2:unverified!?"},
		{"the publisher's word against a notary's", claims(signed(1)), one(saw(1, 2, "", day)), "1:publisher 2:unverified!?"},
		{"nothing signed, though the key is known", claims(&Claim{Why: "no manifest"}), join(one(saw(1, 1, "", day)), readers(9, 2, day)), "1:unverified? 2:unverified?"},
		{"own earlier fetch, whatever the publisher signed", claims(signed(1)), one(saw(3, 2, "", day)), "1:publisher 2:self"},
		{"one notary of two", twoOfTwo, one(saw(1, 1, "", day)), "1:unverified"},
		{"two notaries of two", twoOfTwo, join(one(saw(1, 1, "", day)), one(saw(2, 1, "", day))), "1:notary"},
		{"one notary twice is one", twoOfTwo, join(one(saw(1, 1, "", day)), one(saw(1, 1, "", day.Add(time.Minute)))), "1:unverified"},
		{"own earlier fetch", policy, join(one(saw(1, 1, "", day)), one(saw(3, 1, "", day))), "1:self"},
		{"bad signature", policy, one(forged), ""},
		{"another page's statement", policy, one(foreign), ""},
		{"from the future", policy, one(saw(1, 1, "", day.Add(24*time.Hour))), ""},
	} {
		var got []string
		for _, cand := range Judge(outage.Add(time.Minute), page, c.evidence, outage, c.policy) {
			s := fmt.Sprintf("%d:%s", cand.Statement.Object[0], cand.Level)
			switch {
			case cand.Disputed:
				s += "!!"
			case cand.Dissent:
				s += "!"
			}
			if cand.Unsigned {
				s += "?"
			}
			got = append(got, s)
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s: got %q, want %q", c.name, g, c.want)
		}
	}
}

// Row 3: any number of keys in one network group stays unverified.
func TestRow3_SybilsInOneGroup(t *testing.T) {
	var evidence []Evidence
	for i := range 1000 {
		evidence = append(evidence, saw(i, 1, "the one /16", day))
	}
	got := Judge(outage, page, evidence, outage, Policy{})
	if len(got) != 1 || got[0].Level != Unverified {
		t.Fatalf("1,000 keys in one group make it %v", got[0].Level)
	}
}

// Labels of two locators do not add up.
func TestGroupsOfTwoLocatorsAreNotComparable(t *testing.T) {
	evidence := []Evidence{saw(1, 1, "a", day), saw(2, 1, "b", day), saw(4, 1, "c", day)}
	evidence[2].Locator = "another"
	if got := Judge(outage, page, evidence, outage, Policy{}); got[0].Level != Unverified {
		t.Errorf("level %v", got[0].Level)
	}
}

func TestDescribeNeverSaysVerified(t *testing.T) {
	for l := Unverified; l <= Pinned; l++ {
		text := Describe(l, []string{"notary t"}, day, true, "connection refused")
		if strings.Contains(strings.ToLower(text), "verified") || strings.Contains(strings.ToLower(text), "secure") {
			t.Errorf("%v: %s", l, text)
		}
		if !strings.HasPrefix(text, "COPY, not the live site. ") {
			t.Errorf("%v: %s", l, text)
		}
	}
	want := "COPY, not the live site. Seen 2027-01-15 08:00Z by notary t; origin: connection refused"
	if got := Describe(Notary, []string{"notary t"}, day, false, "connection refused"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseLevel(t *testing.T) {
	for l := Unverified; l <= Pinned; l++ {
		if got, err := ParseLevel(l.String()); err != nil || got != l {
			t.Errorf("%v: %v, %v", l, got, err)
		}
	}
	if got, err := ParseLevel("any"); err != nil || got != Unverified {
		t.Errorf("any: %v, %v", got, err)
	}
	if _, err := ParseLevel("verified"); err == nil {
		t.Error("verified is no level")
	}
}
