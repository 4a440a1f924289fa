package modes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"nt/chunker"
	"nt/peer"
	"nt/peer/trust"
)

// maxRedirects is how many redirects fetch follows.
const maxRedirects = 10

// fetchCmd gets URLs: from the origin, else from the own cache, else from peers.
type fetchCmd struct {
	URL []string `arg:"" help:"What to fetch."`

	Output     string `short:"o" placeholder:"FILE" help:"Write to FILE; - is standard output, the default."`
	RemoteName bool   `short:"O" help:"Write to a file named like the last part of the URL as typed."`
	OutputDir  string `placeholder:"DIR" help:"Directory for -O and for a relative -o."`
	ContinueAt string `short:"C" placeholder:"OFFSET" help:"Go on from OFFSET; - goes on from what an earlier attempt kept."`

	Header         []string      `short:"H" sep:"none" placeholder:"'K: V'" help:"Send this header field; repeatable."`
	MaxTime        span          `short:"m" placeholder:"TIME" help:"Longest time one URL may take."`
	ConnectTimeout span          `placeholder:"TIME" help:"Longest time connecting to the origin may take."`
	Retry          int           `placeholder:"N" help:"Try again N times, waiting 1 s, 2 s, 4 s..."`
	LimitRate      size          `placeholder:"RATE" help:"Receive at most RATE bytes a second."`
	Checksum       checksum      `placeholder:"sha-256=HEX" help:"Accept only these bytes; any copy that has them will do."`
	Object         objectName    `placeholder:"ID" help:"Accept only the version of that name, as the message about a disputed page lists them."`
	NoOrigin       bool          `help:"Do not ask the origin."`
	NoPeers        bool          `help:"Ask nobody but the origin and the own cache."`
	Trust          string        `default:"notary" placeholder:"LEVEL" help:"Least trust a copy must have: any, corroborated, notary, self, publisher, pinned."`
	IgnoreQuery    []string      `placeholder:"K1,K2" help:"Query parameters that do not tell copies apart."`
	JSON           bool          `name:"json" help:"One JSON object per URL on standard output."`
	Quiet          bool          `short:"q" help:"No progress and no notes."`
	Progress       progressStyle `enum:"auto,bar,plain,json,none" default:"auto" help:"Progress on stderr: ${enum}."`
	Reach          reachFlags    `embed:""`
}

// Run fetches every URL and returns the first failure.
func (c *fetchCmd) Run(a *app) error {
	level, err := c.check()
	if err != nil {
		return err
	}
	node, err := a.openFetchNode(c)
	if err != nil {
		return err
	}
	defer node.close(context.WithoutCancel(a.ctx))
	f := &fetcher{cmd: c, app: a, node: node, level: level, notaries: node.notaries}
	var first error
	for _, raw := range c.URL {
		err := f.fetch(a.ctx, raw)
		if err != nil {
			report(a.stderr, err)
			if first == nil {
				first = silent{err}
			}
		}
		if a.ctx.Err() != nil {
			break
		}
	}
	return first
}

// openFetchNode starts a node that looks up and fetches, and announces nothing.
func (a *app) openFetchNode(c *fetchCmd) (*node, error) {
	cache, err := a.cachePath()
	if err != nil {
		return nil, err
	}
	key, err := a.env.nodeIdentity(cache)
	if err != nil {
		return nil, err
	}
	o, err := a.nodeOptions(c.Reach, key, cache, "")
	if err != nil {
		return nil, err
	}
	o.connect = time.Duration(c.ConnectTimeout)
	level, err := trust.ParseLevel(c.Trust)
	o.everything = err != nil || level < trust.Notary
	return openNode(a.ctx, o)
}

// check refuses flags that contradict each other.
func (c *fetchCmd) check() (trust.Level, error) {
	level, err := trust.ParseLevel(c.Trust)
	if err != nil {
		return 0, usagef("", "--trust: %w", err)
	}
	toFile := c.Output != "" && c.Output != "-"
	switch {
	case c.NoOrigin && c.NoPeers && c.Checksum.set:
		return level, nil // the own cache is left
	case c.Output != "" && c.RemoteName:
		return 0, usagef("", "-o and -O exclude each other")
	case toFile && len(c.URL) > 1:
		return 0, usagef("use -O for several URLs", "-o %s names one file for %d URLs", c.Output, len(c.URL))
	case c.Output == "-" && c.JSON:
		return 0, usagef("use -o FILE or -O with --json", "-o - and --json both want standard output")
	case c.Retry < 0:
		return 0, usagef("", "--retry %d is negative", c.Retry)
	}
	if _, err := parseOffset(c.ContinueAt); err != nil {
		return 0, usagef("-C takes a number of bytes, or - for what is there", "-C: %w", err)
	}
	if _, err := parseFields(c.Header); err != nil {
		return 0, usagef("write -H 'Name: value'", "-H: %w", err)
	}
	return level, nil
}

// checksum is --checksum sha-256=HEX.
type checksum struct {
	set bool
	sum chunker.Hash
}

// UnmarshalText reads sha-256=HEX.
func (c *checksum) UnmarshalText(b []byte) error {
	text, ok := strings.CutPrefix(strings.ToLower(string(b)), "sha-256=")
	if !ok {
		return errors.New("a checksum is sha-256= and 64 hexadecimal digits")
	}
	sum, err := parseHash(text)
	if err != nil {
		return err
	}
	c.set, c.sum = true, sum
	return nil
}

// objectName is --object ID.
type objectName struct {
	set bool
	id  chunker.ObjectID
}

// UnmarshalText reads 64 hexadecimal digits.
func (o *objectName) UnmarshalText(b []byte) error {
	id, err := parseHash(strings.ToLower(string(b)))
	o.set, o.id = err == nil, chunker.ObjectID(id)
	return err
}

// parseFields reads 'K: V' lines into a header.
func parseFields(lines []string) (http.Header, error) {
	h := make(http.Header)
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !validFieldName(name) || strings.ContainsAny(value, "\r\n\x00") {
			return nil, fmt.Errorf("%q is not a header field", line)
		}
		h.Add(name, strings.TrimSpace(value))
	}
	return h, nil
}

// validFieldName reports whether s is a token of RFC 9110.
func validFieldName(s string) bool {
	const special = "!#$%&'*+-.^_`|~"
	for i := range len(s) {
		c := s[i]
		if c|0x20 < 'a' || c|0x20 > 'z' {
			if (c < '0' || c > '9') && strings.IndexByte(special, c) < 0 {
				return false
			}
		}
	}
	return s != ""
}

// fetcher is one run of nt fetch.
type fetcher struct {
	cmd      *fetchCmd
	app      *app
	node     doer
	level    trust.Level
	notaries *notaries // nil without trackers
}

// doer is the part of a peer.Node that fetch needs.
type doer interface {
	Do(ctx context.Context, req peer.Request) (*peer.Response, error)
	Settle(ctx context.Context) error
}

// fetch gets one URL to its place, with retries, and says how it went.
func (f *fetcher) fetch(parent context.Context, raw string) error {
	ctx, cancel := context.WithCancel(parent)
	if f.cmd.MaxTime > 0 {
		limit := time.Duration(f.cmd.MaxTime)
		ctx, cancel = context.WithTimeoutCause(parent, limit,
			&fault{ExitDeadline, fmt.Errorf("not done within %v: %w", limit, context.DeadlineExceeded), "give it more time with --max-time"})
	}
	defer cancel()
	t := &transfer{fetcher: f, raw: raw, started: time.Now()}
	err := t.run(ctx)
	if err != nil && ctx.Err() != nil && !explainsItself(err) {
		err = fmt.Errorf("%s: %w", raw, context.Cause(ctx))
	}
	if jsonErr := f.printResult(t.result(exitOf(err))); err == nil {
		err = jsonErr
	}
	return err
}

// explainsItself reports an error that says more than that the time was up: a local
// fault, or that nobody has it.
func explainsItself(err error) bool {
	exit := exitOf(err)
	return exit == ExitFile || exit == ExitNoSource
}
