package modes

import (
	"net/url"
	"strings"

	"nt/internal/resource"
	"nt/peer/trust"
)

// maxNotaryName bounds the name of a configured notary, in bytes.
const maxNotaryName = 200

// trustees reads --notary and --quorum: whom the user believes besides the trackers.
func (a *app) trustees() (trust.Policy, error) {
	p := trust.Policy{Notaries: map[resource.WitnessKey]string{}, Quorum: a.common.Quorum}
	domains := map[string]bool{}
	for _, text := range a.common.Notary {
		name, hex, ok := strings.Cut(text, "#")
		var key resource.WitnessKey
		if !ok || name == "" || len(name) > maxNotaryName || printable(name) != name || key.UnmarshalText([]byte(hex)) != nil {
			return p, usagef("write NAME#KEY: who runs it, and its key in 64 hexadecimal digits", "--notary %.100q names no notary", text)
		}
		p.Notaries[key] = name
		domains[trust.Domain(name)] = true
	}
	for _, t := range a.common.Tracker {
		domains[trust.Domain(trackerName(t))] = true
	}
	if p.Quorum < 1 || p.Quorum > 1 && p.Quorum > len(domains) {
		return p, usagef("--notary NAME#KEY and --tracker add some; those with the same host count once",
			"--quorum %d cannot be met: there are %d independent notaries", p.Quorum, len(domains))
	}
	return p, nil
}

// trackerName returns the HOST:PORT of a tracker's address.
func trackerName(addr string) string {
	rest, _, _ := strings.Cut(addr, "#")
	if !strings.Contains(rest, "://") {
		rest = "http://" + rest
	}
	if u, err := url.Parse(rest); err == nil {
		return u.Host
	}
	return rest
}
