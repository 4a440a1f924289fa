package modes

import (
	"fmt"
	"strings"
	"time"

	"nt/internal/resource"
	"nt/peer/publisher"
)

// publishersCmd shows whose keys this cache knows.
type publishersCmd struct {
	Forget []string `placeholder:"URL" help:"Forget the keys of this site; repeatable. Its copies are then as believable as their other witnesses."`
	JSON   bool     `name:"json" help:"One JSON object per site on standard output."`
}

// Run lists the known sites, or forgets some.
func (c *publishersCmd) Run(a *app) error {
	dir, err := a.cachePath()
	if err != nil {
		return err
	}
	s, err := publisher.Open(dir)
	if err != nil {
		return fileFault("opening the cache", err)
	}
	for _, raw := range c.Forget {
		u, err := resource.ParseURL(raw)
		if err != nil {
			return usagef("write https://HOST", "--forget %q: %w", raw, err)
		}
		known, err := s.Forget(u.Origin())
		if err != nil {
			return fileFault("forgetting", err)
		}
		if !known {
			return &fault{ExitFile, fmt.Errorf("no key of %s is known", u.Origin()), ""}
		}
	}
	if len(c.Forget) > 0 {
		return nil
	}
	all, err := s.All()
	if err != nil {
		return fileFault("reading", err)
	}
	for _, r := range all {
		if c.JSON {
			err = a.printJSON(r)
		} else {
			err = a.println(describePublisher(r, time.Now()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// describePublisher says in one line what is known of a site.
func describePublisher(r publisher.Record, now time.Time) string {
	var b strings.Builder
	b.WriteString(r.Origin)
	for _, k := range r.Keys.Keys {
		fmt.Fprintf(&b, "  %s %s manifest %d", k.Scope, k.Key, r.Sequences[k.Scope])
	}
	word := "until"
	if r.Keys.Expired(now) {
		word = "expired"
	}
	fmt.Fprintf(&b, "  document %d %s %s", r.Keys.Sequence, word, time.Unix(r.Keys.Expires, 0).UTC().Format("2006-01-02"))
	if r.Refused != "" {
		b.WriteString("  REFUSED SINCE: " + printable(r.Refused))
	}
	return b.String()
}
