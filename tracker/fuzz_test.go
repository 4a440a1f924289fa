package tracker_test

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nt/tracker"
	"nt/tracker/storetest"
)

// fuzzBody sends anything to an endpoint: the answer is JSON and never a 500, and
// what was read can be written and read again as the same.
func fuzzBody[T any](f *testing.F, path string, sign bool, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	p := storetest.NewPeer(1, "1.2.3.4:7000")
	api := newAPI(f, tracker.APIConfig{Rate: 1e9, Burst: 1 << 30})
	f.Fuzz(func(t *testing.T, body []byte) {
		signature := ""
		if sign {
			signature = tracker.Sign(p.Key, "POST", path, body)
		}
		status, _, answer := ask(api, "1.2.3.4:1", "POST", path, signature, body)
		if status >= 500 && status != 503 || !json.Valid([]byte(answer)) {
			t.Fatalf("%d %s", status, answer)
		}
		var v, again T
		if err := tracker.Decode(body, &v); err != nil {
			if status == 200 {
				t.Fatalf("taken though %v", err)
			}
			return
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := tracker.Decode(b, &again); err != nil || !cmp.Equal(v, again) {
			t.Fatalf("written and read again: %v\n%s", err, cmp.Diff(v, again))
		}
	})
}

func FuzzAnnounce(f *testing.F) {
	p := storetest.NewPeer(1, "1.2.3.4:7000")
	now := storetest.Start()
	good, _ := json.Marshal(announceRequest(p, now, p.State("a", "object", now)))
	fuzzBody[tracker.AnnounceRequest](f, "/v1/announce", true, string(good), string(bytes.Replace(good, []byte(`"status":200`), []byte(`"status":-1`), 1)),
		`{"items":[{},{}]}`, `{"items":[null],"peer":null}`, `{"peer":{"id":"00"}}`, `{"items":[`)
}

func FuzzLookup(f *testing.F) {
	key := storetest.Key("a").String()
	fuzzBody[tracker.LookupRequest](f, "/v1/lookup", false, `{"keys":["`+key+`"],"want":3,"port":7000}`, `{"keys":["`+key+`","`+key+`"]}`, `{"keys":[null]}`, `{"want":1e99}`)
}

func FuzzReport(f *testing.F) {
	fuzzBody[tracker.ReportRequest](f, "/v1/report", false, `{"ticket":"`+strings.Repeat("A", 112)+`","reason":"dead"}`, `{"ticket":"","reason":"bad"}`)
}

func FuzzLeave(f *testing.F) {
	p := storetest.NewPeer(1, "1.2.3.4:7000")
	fuzzBody[tracker.LeaveRequest](f, "/v1/leave", true, `{"peer":"`+p.ID().String()+`","time":1800000000}`, `{"peer":"","time":-1}`)
}

// A body costs at most a few times its own size before it is refused.
func TestRow40_ListsAreCountedBeforeTheyAreMade(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		into any
	}{
		"items":      {`{"items":[` + strings.Repeat("{},", 300_000) + `{}]}`, new(tracker.AnnounceRequest)},
		"keys":       {`{"keys":[` + strings.Repeat(`"`+strings.Repeat("0", 64)+`",`, 15_000) + `""]}`, new(tracker.LookupRequest)},
		"results":    {`{"results":[` + strings.Repeat("{},", 300_000) + `{}]}`, new(tracker.LookupResponse)},
		"peers":      {`{"results":[{"peers":[` + strings.Repeat("{},", 300_000) + `{}]}]}`, new(tracker.LookupResponse)},
		"statements": {`{"results":[{"statements":[` + strings.Repeat("{},", 300_000) + `{}]}]}`, new(tracker.LookupResponse)},
		"refused":    {`{"refused":[` + strings.Repeat("{},", 300_000) + `{}]}`, new(tracker.AnnounceResponse)},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := tracker.Decode([]byte(c.body), c.into)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; reason(err) != tracker.ReasonMalformed || spent > uint64(12*len(c.body)) {
			t.Errorf("%s: %.100v after %d bytes for a body of %d", name, err, spent, len(c.body))
		}
	}
}
