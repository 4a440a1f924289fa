package swarm

import (
	"strings"
	"testing"
	"time"

	"nt/plugins/roulette"

	"github.com/BurntSushi/toml"
)

func table(text string) func(v any) error {
	return func(v any) error {
		_, err := toml.Decode(text, v)
		return err
	}
}

// TestOptions: a table's profile sets the numbers that the table does not.
func TestOptions(t *testing.T) {
	o, err := load(table("profile = \"classic\"\nmax_degree = 20\nlook_again = \"1s\"\nuplink = 12500"))
	want := roulette.Classic()
	want.MaxDegree, want.LookAgain, want.KnownRate = 20, time.Second, 12500
	if err != nil || o.Params != want || o.Wire != "kcp" {
		t.Errorf("%v\n%+v\nwant\n%+v", err, o.Params, want)
	}
	if o, err = load(nil); err != nil || o.Params != roulette.Tuned() {
		t.Errorf("%v, %+v", err, o.Params)
	}
	for text, why := range map[string]string{
		`profile = "new"`:    "not tuned or classic",
		`wire = "tcp"`:       "not kcp or udp",
		`min_degree = 99`:    "min_degree 99 is not between",
		`seek_every = "0s"`:  "seek_every 0s is not between",
		`join_list = 17`:     "join_list 17 is not between 0 and 16",
		"max_sessions = 0":   "max_sessions",
		`dial_timeout = "0"`: "longer than nothing",
	} {
		if _, err := load(table(text)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", text, err, why)
		}
	}
}
