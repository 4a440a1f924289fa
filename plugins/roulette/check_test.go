package roulette

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestParamsCheck: the two profiles pass, and one bad number of each kind does not.
func TestParamsCheck(t *testing.T) {
	for name, p := range map[string]Params{"tuned": Tuned(), "classic": Classic()} {
		if err := p.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for key, spoil := range map[string]func(*Params){
		"min_degree":   func(p *Params) { p.MinDegree = 0 },
		"max_degree":   func(p *Params) { p.MaxDegree = p.MaxTable + 1 },
		"join_list":    func(p *Params) { p.JoinList = MaxIntros + 1 },
		"seek_every":   func(p *Params) { p.SeekEvery = 0 },
		"member_ttl":   func(p *Params) { p.MemberTTL = -time.Second },
		"join_share":   func(p *Params) { p.JoinShare = 2 },
		"first_burst":  func(p *Params) { p.FirstBurst = MaxBurst + 1 },
		"tab_fraction": func(p *Params) { p.TabFraction = -1 },
	} {
		p := Tuned()
		spoil(&p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestEveryParameterHasAKey: what the struct holds can be set in [transport.roulette].
func TestEveryParameterHasAKey(t *testing.T) {
	key := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	p := reflect.TypeFor[Params]()
	seen := map[string]bool{}
	for i := range p.NumField() {
		f := p.Field(i)
		tag := f.Tag.Get("toml")
		if f.Name == "Profile" || f.Name == "KnownRate" { // profile and uplink of swarm.Options
			continue
		}
		if !key.MatchString(tag) || seen[tag] || strings.ReplaceAll(tag, "_", "") != strings.ToLower(f.Name) {
			t.Errorf("%s has the key %q", f.Name, tag)
		}
		seen[tag] = true
	}
}
