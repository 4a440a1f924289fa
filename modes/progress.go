package modes

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"nt/peer"
)

// progressStyle is how nt fetch shows that it moves.
type progressStyle string

// plainEvery is how often --progress plain and json say something.
const plainEvery = 3 * time.Second

// progress is told of one transfer. One goroutine uses it.
type progress interface {
	// begin says that content comes from offset at on; total is -1 if not known. It
	// comes again when an attempt starts over. live counts where the content comes from.
	begin(url string, status int, at, total int64, live *peer.Live)
	add(n int)
	end(received int64, err error)
}

// newProgress returns what --progress asks for; auto is a bar on a terminal and
// nothing elsewhere.
func (f *fetcher) newProgress() progress {
	style, w := f.cmd.Progress, f.app.stderr
	if style == "auto" {
		style = "none"
		if isTerminal(w) {
			style = "bar"
		}
	}
	if f.cmd.Quiet && style != "json" {
		style = "none"
	}
	switch style {
	case "bar":
		return &barProgress{w: w}
	case "plain":
		return &lineProgress{w: w, now: time.Now, line: plainLine}
	case "json":
		return &lineProgress{w: w, now: time.Now, line: jsonLine}
	}
	return noProgress{}
}

type noProgress struct{}

func (noProgress) begin(string, int, int64, int64, *peer.Live) {}
func (noProgress) add(int)                                     {}
func (noProgress) end(int64, error)                            {}

// barProgress is a bar on a terminal.
type barProgress struct {
	w    io.Writer
	all  *mpb.Progress
	bar  *mpb.Bar
	last time.Time
	live atomic.Pointer[peer.Live]
}

// sources says behind the bar where the content comes from.
func (p *barProgress) sources(decor.Statistics) string {
	return sources(p.live.Load().Snapshot())
}

func (p *barProgress) begin(url string, _ int, at, total int64, live *peer.Live) {
	p.live.Store(live)
	if p.bar != nil {
		p.bar.SetTotal(total, false)
		p.bar.SetCurrent(at)
		return
	}
	p.all = mpb.New(mpb.WithOutput(p.w), mpb.WithWidth(64), mpb.WithRefreshRate(150*time.Millisecond))
	p.bar = p.all.AddBar(max(total, 0),
		mpb.PrependDecorators(decor.Name(shorten(printable(url), 40)), decor.CountersKibiByte(" % .1f / % .1f")),
		mpb.AppendDecorators(decor.EwmaSpeed(decor.SizeB1024(0), "% .1f", 30), decor.Name(" "), decor.OnComplete(decor.EwmaETA(decor.ET_STYLE_GO, 30), "done"), decor.Any(p.sources)))
	p.bar.SetCurrent(at)
	p.last = time.Now()
}

func (p *barProgress) add(n int) {
	now := time.Now()
	p.bar.EwmaIncrBy(n, now.Sub(p.last))
	p.last = now
}

func (p *barProgress) end(_ int64, err error) {
	if p.bar == nil {
		return
	}
	if err != nil {
		p.bar.Abort(false)
	} else {
		p.bar.SetTotal(-1, true)
	}
	p.all.Wait()
}

// event is one line of --progress json.
type event struct {
	Event   string  `json:"event"` // start, progress, end
	URL     string  `json:"url"`
	Status  int     `json:"status,omitempty"`
	Bytes   int64   `json:"bytes"`
	Total   int64   `json:"total"` // -1: not known
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"bytes_per_second"`      // since the line before the last
	ETA     float64 `json:"eta_seconds,omitempty"` // 0: not known
	// Where the content came from, and how many peers sent some.
	BytesBySource map[peer.Source]int64 `json:"bytes_by_source"`
	Neighbours    int                   `json:"neighbours_met"`
	Error         string                `json:"error,omitempty"`
}

// lineProgress writes a line at the start, every few seconds and at the end.
type lineProgress struct {
	w       io.Writer
	now     func() time.Time
	line    func(event) string
	e       event
	started time.Time
	told    time.Time
	live    *peer.Live
	rate    lately
}

func (p *lineProgress) begin(url string, status int, at, total int64, live *peer.Live) {
	if p.started.IsZero() {
		p.started = p.now()
	}
	p.e, p.live, p.rate = event{URL: url, Status: status, Bytes: at, Total: total}, live, lately{}
	p.tell("start")
}

func (p *lineProgress) add(n int) {
	p.e.Bytes += int64(n)
	if p.now().Sub(p.told) >= plainEvery {
		p.tell("progress")
	}
}

func (p *lineProgress) end(_ int64, err error) {
	if p.started.IsZero() {
		return
	}
	if err != nil {
		p.e.Error = err.Error()
	}
	p.tell("end")
}

func (p *lineProgress) tell(what string) {
	p.told = p.now()
	p.e.Event, p.e.Seconds = what, p.told.Sub(p.started).Seconds()
	now := p.live.Snapshot()
	p.e.BytesBySource, p.e.Neighbours = map[peer.Source]int64{}, now.PeersMet
	maps.Copy(p.e.BytesBySource, now.BytesBySource)
	p.e.Rate = p.rate.at(p.told, p.e.Bytes)
	if p.e.ETA = 0; p.e.Rate > 0 && p.e.Total > p.e.Bytes {
		p.e.ETA = float64(p.e.Total-p.e.Bytes) / p.e.Rate
	}
	fmt.Fprintln(p.w, p.line(p.e))
}

// plainLine is one line for people.
func plainLine(e event) string {
	of := ""
	if e.Total >= 0 {
		of = fmt.Sprintf(" of %d", e.Total)
	}
	line := fmt.Sprintf("nt: %s %s: %d%s bytes, %.1f s", e.Event, printable(e.URL), e.Bytes, of, e.Seconds)
	if e.Rate > 0 {
		line += fmt.Sprintf(", %.0f bytes/s", e.Rate)
	}
	if e.ETA > 0 && e.Event != "end" {
		line += fmt.Sprintf(", %.0f s left", e.ETA)
	}
	return line + sources(peer.Progress{BytesBySource: e.BytesBySource, PeersMet: e.Neighbours})
}

// jsonLine is one line for programs.
func jsonLine(e event) string {
	b, err := json.Marshal(e)
	if err != nil { // strings and numbers only: cannot happen
		return "{}"
	}
	return string(b)
}

// shorten keeps the end of a text, which is where URLs differ.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return "…" + string(r[len(r)-n+1:])
}

// sources says in a few words where content comes from: "; origin 12000, peers 30000 of 3".
func sources(p peer.Progress) string {
	names := slices.Sorted(maps.Keys(p.BytesBySource))
	text := ""
	for _, s := range names {
		text += fmt.Sprintf(", %s %d", s, p.BytesBySource[s])
	}
	if text == "" {
		return ""
	}
	if p.PeersMet > 0 {
		text += fmt.Sprintf(" of %d", p.PeersMet)
	}
	return ";" + text[1:]
}

// lately is a rate between the line before the last one and now.
type lately struct {
	times [2]time.Time
	bytes [2]int64
}

// at notes that so many bytes are there now and returns bytes per second; 0 at first.
func (l *lately) at(now time.Time, bytes int64) float64 {
	rate := 0.0
	if d := now.Sub(l.times[0]).Seconds(); !l.times[0].IsZero() && d > 0 {
		rate = float64(bytes-l.bytes[0]) / d
	}
	if l.times[0].IsZero() {
		l.times[0], l.bytes[0] = now, bytes
	} else if !l.times[1].IsZero() {
		l.times[0], l.bytes[0] = l.times[1], l.bytes[1]
	}
	l.times[1], l.bytes[1] = now, bytes
	return rate
}
