package modes

import (
	"errors"
	"strings"
	"testing"
	"time"

	"nt/peer"
)

// told runs one transfer of 100 bytes through a line progress, a byte a second.
func told(line func(event) string) []string {
	var b strings.Builder
	now := time.Unix(0, 0)
	p := &lineProgress{w: &b, now: func() time.Time { return now }, line: line}
	p.begin("http://h/\x1b[31m", 200, 2, 10, &peer.Live{})
	for range 8 {
		now = now.Add(time.Second)
		p.add(1)
	}
	p.end(8, errors.New("cut"))
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func TestPlainProgressSaysALineEveryFewSeconds(t *testing.T) {
	want := []string{
		`nt: start http://h/\x1b[31m: 2 of 10 bytes, 0.0 s`,
		`nt: progress http://h/\x1b[31m: 5 of 10 bytes, 3.0 s, 1 bytes/s, 5 s left`,
		`nt: progress http://h/\x1b[31m: 8 of 10 bytes, 6.0 s, 1 bytes/s, 2 s left`,
		`nt: end http://h/\x1b[31m: 10 of 10 bytes, 8.0 s, 1 bytes/s`,
	}
	if got := told(plainLine); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestJSONProgressIsOneObjectPerLine(t *testing.T) {
	got := told(jsonLine)
	want := `{"event":"end","url":"http://h/\u001b[31m","status":200,"bytes":10,"total":10,"seconds":8,"bytes_per_second":1,"bytes_by_source":{},"neighbours_met":0,"error":"cut"}`
	if len(got) != 4 || got[3] != want {
		t.Errorf("got\n%s\nwant the last to be\n%s", strings.Join(got, "\n"), want)
	}
}

func TestProgressNamesSources(t *testing.T) {
	for want, p := range map[string]peer.Progress{
		"":                           {},
		"; origin 10":                {BytesBySource: map[peer.Source]int64{peer.SourceOrigin: 10}},
		"; origin 10, peers 20 of 3": {BytesBySource: map[peer.Source]int64{peer.SourcePeers: 20, peer.SourceOrigin: 10}, PeersMet: 3},
	} {
		if got := sources(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
